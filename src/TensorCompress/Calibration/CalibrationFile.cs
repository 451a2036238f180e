using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Calibration;

/// <summary>
/// Calibration statistics in a safetensors file, bound to the model by its hash. For every input one tensor <c>&lt;first layer that reads it&gt;.second_moment</c>, F32: the lower
/// triangle of H row by row, n (n + 1) / 2 elements. docs/format.md defines it.
/// </summary>
public sealed class CalibrationFile : IDisposable
{
    private const string Suffix = ".second_moment", FormatKey = "format", FormatName = "tensorcompress-calibration-1";
    private const string SourceKey = "source_sha256", TokensKey = "tokens", LayersKey = "layers";

    private readonly SafetensorsFile _file;
    private readonly string _path;
    private readonly Dictionary<string, string> _tensorOf;

    private CalibrationFile(SafetensorsFile file, string path, string sourceHash, long tokenCount, Dictionary<string, string> tensorOf)
    {
        _file = file;
        _path = path;
        SourceHash = sourceHash;
        TokenCount = tokenCount;
        _tensorOf = tensorOf;
    }

    /// <summary>SHA-256 of the model's weight files.</summary>
    public string SourceHash { get; }

    /// <summary>Tokens that the statistics are means of.</summary>
    public long TokenCount { get; }

    /// <summary>Layers whose inputs are known.</summary>
    public IReadOnlyCollection<string> Layers => _tensorOf.Keys;

    /// <summary>Runs a model over texts and writes what it sees; the file appears whole or not at all.</summary>
    /// <param name="path">File to write; an existing one is replaced.</param>
    /// <param name="model">The model.</param>
    /// <param name="sourceHash">Hash of its weights, <see cref="ModelCheckpoint.ComputeHash"/>.</param>
    /// <param name="windows">Token ids; each window is a text of its own.</param>
    /// <param name="progress">Told the share done, 0 to 1; may be null.</param>
    /// <param name="cancellationToken">Looked at between windows; nothing is left behind.</param>
    /// <exception cref="ArgumentException">The windows do not fit the model.</exception>
    public static void Write(
        string path, LanguageModel model, string sourceHash, IReadOnlyList<int[]> windows, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ModelCalibration.ThrowIfUnfit(model.Definition, windows, runs: 1);
        var layers = new JsonObject();
        foreach (CalibrationPoint point in model.Definition.Blocks.SelectMany(CalibrationPoint.Of))
        {
            foreach (LinearDefinition linear in point.Linears.SelectMany(linear => linear.Parts)) layers.Add(linear.Name, point.Linears[0].Parts[0].Name);
        }

        string head = ModelCalibration.HeadName(model.Definition);
        layers.Add(head, head);
        var metadata = new Dictionary<string, string>
        {
            [FormatKey] = FormatName,
            [SourceKey] = sourceHash,
            [TokensKey] = windows.Sum(window => (long)window.Length).ToString(CultureInfo.InvariantCulture),
            [LayersKey] = layers.ToJsonString(),
        };
        using SafetensorsWriter writer = SafetensorsWriter.Create(path, metadata);
        ModelCalibration.Collect(model, windows, (names, statistics) => Add(writer, names[0], statistics), progress, cancellationToken);
        writer.Complete();
    }

    /// <summary>Opens a file; statistics are read when they are asked for.</summary>
    /// <exception cref="TensorFormatException">It is damaged or holds something else.</exception>
    public static CalibrationFile Open(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        try
        {
            if (!file.Metadata.TryGetValue(FormatKey, out string? format) || format != FormatName)
                throw new TensorFormatException(TensorFormatError.Unsupported, $"no calibration statistics (\"{FormatKey}\" is \"{format}\", not \"{FormatName}\")", path);
            if (!file.Metadata.TryGetValue(SourceKey, out string? hash) || !file.Metadata.TryGetValue(LayersKey, out string? layers)
                || !file.Metadata.TryGetValue(TokensKey, out string? text) || !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long tokens) || tokens < 1)
                throw new TensorFormatException(TensorFormatError.Structure, $"\"{SourceKey}\", \"{TokensKey}\" or \"{LayersKey}\" is missing or damaged", path);
            return new CalibrationFile(file, path, hash, tokens, ReadLayers(file, layers, path));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Refuses statistics of another model.</summary>
    /// <param name="sourceHash">Hash of the model's weights.</param>
    /// <exception cref="ArgumentException">They are of another.</exception>
    public void ThrowIfOfAnother(string sourceHash)
    {
        if (SourceHash != sourceHash)
            throw new ArgumentException($"{_path} holds statistics of another model (weights {SourceHash[..Math.Min(12, SourceHash.Length)]}..., not {sourceHash[..12]}...); collect them again.", nameof(sourceHash));
    }

    /// <summary>The statistics of a layer's input; the caller disposes them. Null where they are not known.</summary>
    /// <exception cref="TensorFormatException">A value is not finite, or no moment.</exception>
    public LayerStatistics? Read(string layer)
    {
        if (!_tensorOf.TryGetValue(layer, out string? tensor)) return null;
        int dimension = Side(_file.Tensors[tensor].ElementCount);
        var moment = new Matrix<double>(dimension, dimension);
        var row = new float[dimension];
        long first = 0;
        for (int i = 0; i < dimension; i++)
        {
            Span<float> lower = row.AsSpan(0, i + 1);
            _file.ReadSingles(tensor, first, lower);
            first += lower.Length;
            for (int j = 0; j <= i; j++) moment[i, j] = moment[j, i] = lower[j];
        }

        try
        {
            return new LayerStatistics(moment, TokenCount);
        }
        catch (ArgumentException fault)
        {
            moment.Dispose();
            throw new TensorFormatException(TensorFormatError.Value, fault.Message, _path, tensor, innerException: fault);
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private static Dictionary<string, string> ReadLayers(SafetensorsFile file, string json, string path)
    {
        var tensorOf = new Dictionary<string, string>();
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            foreach (JsonProperty layer in document.RootElement.EnumerateObject())
            {
                string tensor = layer.Value.GetString() + Suffix;
                if (!file.Tensors.TryGetValue(tensor, out TensorInfo? info) || info.ElementType != ElementType.F32 || Side(info.ElementCount) < 1)
                    throw new FormatException($"the statistics of {layer.Name} are missing or of another type or size");
                tensorOf[layer.Name] = tensor;
            }
        }
        catch (Exception fault) when (fault is JsonException or FormatException or InvalidOperationException)
        {
            throw new TensorFormatException(TensorFormatError.Structure, $"\"{LayersKey}\" is damaged: {fault.Message}", path, innerException: fault);
        }

        return tensorOf;
    }

    /// <summary>n of n (n + 1) / 2; 0 if the count is no such number, or beyond what a matrix row can hold.</summary>
    private static int Side(long count)
    {
        long side = (long)((Math.Sqrt(8.0 * count + 1) - 1) / 2);
        while (side * (side + 1) / 2 < count) side++;
        return side * (side + 1) / 2 == count && side < 1 << 20 ? (int)side : 0;
    }

    private static void Add(SafetensorsWriter writer, string layer, LayerStatistics statistics)
    {
        long count = (long)statistics.Dimension * (statistics.Dimension + 1) / 2;
        writer.Add(new TensorInfo(layer + Suffix, ElementType.F32, [count]), stream =>
        {
            byte[] bytes = ArrayPool<byte>.Shared.Rent(statistics.Dimension * sizeof(float));
            for (int i = 0; i < statistics.Dimension; i++)
            {
                ReadOnlySpan<double> row = statistics.SecondMoment.Row(i);
                for (int j = 0; j <= i; j++) BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(j * sizeof(float)), (float)row[j]);
                stream.Write(bytes, 0, (i + 1) * sizeof(float));
            }

            ArrayPool<byte>.Shared.Return(bytes);
        });
    }
}
