using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tensors;

namespace TensorCompress.Models.Gguf;

/// <summary>The tensors of a GGUF file under Hugging Face names, in Hugging Face shapes and row order. Safe for concurrent readers.</summary>
internal sealed class GgufModelTensors : ITensorSource
{
    private const string HeadCountKey = "attention.head_count";

    private readonly GgufFile _file;
    private readonly GgufModelMetadata _metadata;
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly Dictionary<string, Origin> _origins = [];
    private readonly List<string> _warnings;
    private readonly string _path;

    public GgufModelTensors(GgufFile file, IGgufArchitecture architecture, GgufModelMetadata metadata, string path)
    {
        _file = file;
        _metadata = metadata;
        _path = path;
        _warnings = [.. file.Warnings];
        foreach (TensorInfo tensor in file.Tensors.Values)
        {
            if (GgufRotary.IsFactors(tensor.Name)) continue;
            if (architecture.GgufNames.FromGguf(tensor.Name) is { } name) Add(tensor, name);
            else _warnings.Add($"tensor {tensor.Name} is not used");
        }

        string[] quantized = [.. file.Tensors.Keys.Where(file.IsQuantized).Select(file.StoredType).Distinct().Order(StringComparer.Ordinal)];
        IsQuantized = quantized.Length > 0;
        if (IsQuantized) _warnings.Add($"the source is quantised ({string.Join(", ", quantized)}): \"dense\" means its values, not those of the model it was made from");
    }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Whether values were rounded to a few levels when the file was made.</summary>
    public bool IsQuantized { get; }

    /// <summary>The file's key-value part.</summary>
    public GgufMetadata Metadata => _file.Metadata;

    /// <summary>Bytes that a tensor takes in the file.</summary>
    public long StoredBytes(string name) => _file.StoredBytes(Find(name).GgufName);

    /// <summary>Name of a tensor's stored type.</summary>
    public string StoredType(string name) => _file.StoredType(Find(name).GgufName);

    /// <summary>Whether a tensor that checkpoints store as [input, output] lies here as [output, input].</summary>
    public bool HoldsOutputRows(string name) => Find(name).Layout == GgufLayout.Transposed;

    /// <summary>Reads elements of a tensor that <see cref="HoldsOutputRows"/>, as W [output, input].</summary>
    public void ReadOutputRows(string name, long firstElement, Span<float> destination) => _file.ReadSingles(Find(name).GgufName, firstElement, destination);

    public void ReadBytes(string name, long offset, Span<byte> destination)
    {
        (string ggufName, GgufLayout layout, Func<long, long>? storedRow) = Find(name);
        TensorInfo tensor = _tensors[name];
        int size = tensor.ElementType.BitWidth() / 8;
        if (layout is GgufLayout.AsIs)
        {
            _file.ReadBytes(ggufName, offset, destination);
        }
        else if (storedRow is null || offset % size != 0 || destination.Length % size != 0)
        {
            TensorReading.ReadBytesOfSingles(this, name, offset, destination);
        }
        else
        {
            foreach ((long stored, int at, int length) in RotaryRowOrder.Pieces(offset / size, destination.Length / size, Columns(tensor), storedRow))
                _file.ReadBytes(ggufName, stored * size, destination.Slice(at * size, length * size));
        }
    }

    public void ReadSingles(string name, long firstElement, Span<float> destination)
    {
        (string ggufName, GgufLayout layout, Func<long, long>? storedRow) = Find(name);
        if (layout == GgufLayout.Transposed)
        {
            ReadTransposed(ggufName, _tensors[name], firstElement, destination);
        }
        else if (storedRow is null)
        {
            _file.ReadSingles(ggufName, firstElement, destination);
            if (layout != GgufLayout.GainPlusOne) return;
            for (int i = 0; i < destination.Length; i++) destination[i] -= 1f;
        }
        else
        {
            foreach ((long stored, int at, int length) in RotaryRowOrder.Pieces(firstElement, destination.Length, Columns(_tensors[name]), storedRow))
                _file.ReadSingles(ggufName, stored, destination.Slice(at, length));
        }
    }

    public void Dispose() => _file.Dispose();

    private void Add(TensorInfo tensor, GgufName name)
    {
        bool isMatrix = tensor.Shape.Count == 2;
        // A bias has no other orientation, and only gains are stored shifted.
        GgufLayout layout = name.Layout switch
        {
            GgufLayout.Transposed when !isMatrix => GgufLayout.AsIs,
            GgufLayout.GainPlusOne when !name.Gguf.EndsWith(".weight", StringComparison.Ordinal) => GgufLayout.AsIs,
            GgufLayout own => own,
        };
        var origin = new Origin(tensor.Name, layout, StoredRow(tensor, layout));
        // What is changed on the way is a float.
        ElementType type = layout is GgufLayout.GainPlusOne or GgufLayout.Transposed ? ElementType.F32 : tensor.ElementType;
        IReadOnlyList<long> shape = layout == GgufLayout.Transposed ? [tensor.Shape[1], tensor.Shape[0]] : tensor.Shape;
        _tensors.Add(name.HuggingFace, new TensorInfo(name.HuggingFace, type, shape));
        _origins.Add(name.HuggingFace, origin);
    }

    private Func<long, long>? StoredRow(TensorInfo tensor, GgufLayout layout)
    {
        switch (layout)
        {
            case GgufLayout.QueryRows:
                int queryRows = HeadRows(tensor, _metadata.Dimension(HeadCountKey), 2);
                return row => RotaryRowOrder.StoredRow(row, queryRows);
            case GgufLayout.KeyRows:
                int keyRows = HeadRows(tensor, _metadata.OptionalDimension("attention.head_count_kv") ?? _metadata.Dimension(HeadCountKey), 2);
                return row => RotaryRowOrder.StoredRow(row, keyRows);
            case GgufLayout.PartsTogether:
                int heads = _metadata.Dimension(HeadCountKey);
                return HeadRowOrder.PartsTogether(heads, HeadRows(tensor, heads, 3) / 3);
            default: return null;
        }
    }

    private int HeadRows(TensorInfo tensor, int heads, int multiple)
    {
        if (tensor.Shape.Count is not (1 or 2) || tensor.Shape[0] % ((long)multiple * heads) != 0)
            throw new TensorFormatException(
                TensorFormatError.Inconsistent, $"shape [{string.Join(", ", tensor.Shape)}] has no number of rows for each of {heads} heads that {multiple} divides", _path, tensor.Name);
        return (int)(tensor.Shape[0] / heads);
    }

    // Rows of the checkpoint are columns of the file: the columns that are asked for are read row by row.
    private void ReadTransposed(string ggufName, TensorInfo tensor, long firstElement, Span<float> destination)
    {
        if (destination.IsEmpty) return;
        long inputs = tensor.Shape[0], outputs = tensor.Shape[1], end = firstElement + destination.Length;
        long firstInput = firstElement / outputs, lastInput = (end - 1) / outputs;
        var piece = new float[lastInput - firstInput + 1];
        for (long output = 0; output < outputs; output++)
        {
            _file.ReadSingles(ggufName, output * inputs + firstInput, piece);
            for (long input = firstInput; input <= lastInput; input++)
            {
                long element = input * outputs + output;
                if (element >= firstElement && element < end) destination[(int)(element - firstElement)] = piece[input - firstInput];
            }
        }
    }

    private static long Columns(TensorInfo tensor) => tensor.Shape.Count == 2 ? tensor.Shape[1] : 1;

    private Origin Find(string name) => _origins.TryGetValue(name, out Origin? origin) ? origin : throw new KeyNotFoundException($"There is no tensor {name}.");

    /// <param name="GgufName">Name in the file.</param>
    /// <param name="Layout">How the values lie there.</param>
    /// <param name="StoredRow">The stored row that holds a checkpoint's row; null where rows are in order.</param>
    private sealed record Origin(string GgufName, GgufLayout Layout, Func<long, long>? StoredRow);
}
