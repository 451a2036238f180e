using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using TensorCompress.Tensors;

namespace TensorCompress.Storage;

/// <summary>
/// A checkpoint of llama2.c: seven integers, then tensors kind by kind. Versions 0 (no magic, floats), 1 (magic, floats) and 2 (magic, int8 groups with a float scale) are read.
/// Tensors appear under Hugging Face names and in Hugging Face row order.
/// </summary>
public sealed class Llama2cFile : ITensorSource
{
    private const uint Magic = 0x616b3432; // "ak42"
    private const int VersionedHeaderBytes = 256;
    private const int LegacyHeaderBytes = 28;

    private readonly ByteSource _bytes;
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly Dictionary<string, Placement> _placements = [];
    private readonly JsonDocument _configuration;
    private readonly int _groupSize;
    private readonly Header _header;
    private long _position;

    private Llama2cFile(ByteSource bytes)
    {
        _bytes = bytes;
        (_header, int version, bool hasSharedHead, _groupSize, _position) = ReadHeader();
        CheckHeader();
        if (version == 2) LayOutQuantized(hasSharedHead);
        else LayOutFloats(version, hasSharedHead);
        if (_position > bytes.Length) throw Fault(TensorFormatError.Truncated, $"the header asks for {_position} bytes, the file has {bytes.Length}");
        if (_position < bytes.Length) throw Fault(TensorFormatError.Trailing, $"{bytes.Length - _position} bytes after the last tensor");
        _configuration = JsonDocument.Parse(CreateConfiguration(hasSharedHead).ToJsonString());
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>The <c>config.json</c> that the header stands for; epsilon 1e-5 and theta 10000 are those of llama2.c.</summary>
    public JsonElement Configuration => _configuration.RootElement;

    /// <summary>Opens a file.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="TensorFormatException">It is damaged or of another kind.</exception>
    public static Llama2cFile Open(string path)
    {
        ByteSource bytes = ByteSource.OpenFile(path);
        try
        {
            return new Llama2cFile(bytes);
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void ReadBytes(string name, long offset, Span<byte> destination) => TensorReading.ReadBytesOfSingles(this, name, offset, destination);

    /// <inheritdoc/>
    public void ReadSingles(string name, long firstElement, Span<float> destination)
    {
        Placement placement = _placements.TryGetValue(name, out Placement found) ? found : throw new KeyNotFoundException($"There is no tensor {name}.");
        TensorInfo tensor = _tensors[name];
        if (firstElement < 0 || firstElement > tensor.ElementCount - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(firstElement), firstElement, $"{destination.Length} elements from {firstElement} leave the tensor {name} of {tensor.ElementCount}.");
        if (placement.HeadDimension == 0)
        {
            ReadStored(placement, firstElement, destination);
            return;
        }

        foreach ((long stored, int at, int length) in RotaryRowOrder.Pieces(firstElement, destination.Length, tensor.Shape[1], row => RotaryRowOrder.StoredRow(row, placement.HeadDimension)))
            ReadStored(placement, stored, destination.Slice(at, length));
    }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        _bytes.Dispose();
        _configuration.Dispose();
    }

    private void ReadStored(Placement placement, long first, Span<float> destination)
    {
        if (placement.ScalesOffset == 0)
        {
            _bytes.Read(placement.Offset + first * sizeof(float), MemoryMarshal.AsBytes(destination));
            return;
        }

        var codes = new sbyte[destination.Length];
        _bytes.Read(placement.Offset + first, MemoryMarshal.AsBytes(codes.AsSpan()));
        long firstGroup = first / _groupSize;
        var scales = new float[checked((int)((first + destination.Length - 1) / _groupSize - firstGroup + 1))];
        _bytes.Read(placement.ScalesOffset + firstGroup * sizeof(float), MemoryMarshal.AsBytes(scales.AsSpan()));
        for (int i = 0; i < codes.Length; i++) destination[i] = codes[i] * scales[(int)((first + i) / _groupSize - firstGroup)];
    }

    private (Header Header, int Version, bool HasSharedHead, int GroupSize, long DataOffset) ReadHeader()
    {
        if (_bytes.Length < LegacyHeaderBytes) throw Fault(TensorFormatError.Truncated, $"{_bytes.Length} bytes; a header has {LegacyHeaderBytes}");
        var header = new byte[Math.Min(VersionedHeaderBytes, _bytes.Length)];
        _bytes.Read(0, header);
        if (BinaryPrimitives.ReadUInt32LittleEndian(header) != Magic)
        {
            Header legacy = Header.Read(header);
            // A negative vocabulary marks an untied head.
            return (legacy with { Vocabulary = Math.Abs((long)legacy.Vocabulary) is var size && size <= int.MaxValue ? (int)size : 0 }, 0, legacy.Vocabulary > 0, 0, LegacyHeaderBytes);
        }

        if (header.Length < VersionedHeaderBytes) throw Fault(TensorFormatError.Truncated, $"{_bytes.Length} bytes; a header has {VersionedHeaderBytes}");
        int version = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(4));
        if (version is not (1 or 2)) throw Fault(TensorFormatError.Version, $"version {version}; supported: 0, 1, 2");
        byte shared = header[36];
        if (shared > 1) throw Fault(TensorFormatError.Value, $"the flag of the shared head is {shared}");
        return (Header.Read(header.AsSpan(8)), version, shared == 1, version == 2 ? BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(37)) : 0, VersionedHeaderBytes);
    }

    private void CheckHeader()
    {
        Header h = _header;
        // Layers have a closer bound: a description of a layer can take more memory than the layer has bytes.
        const int largest = 1 << 24, mostLayers = 1 << 12;
        foreach ((string name, int value) in new[] { ("dim", h.Dimension), ("hidden_dim", h.Hidden), ("n_layers", h.Layers), ("n_heads", h.Heads), ("n_kv_heads", h.KeyValueHeads), ("vocab_size", h.Vocabulary), ("seq_len", h.Context) })
        {
            if (value < 1 || value > (name == "n_layers" ? mostLayers : largest)) throw LooksLikePickle()
                    ? Fault(TensorFormatError.Unsupported, "a pickle or ZIP checkpoint, which runs code when it is read; convert it to safetensors with the program that made it")
                    : Fault(TensorFormatError.Value, $"{name} is {value}: this is no llama2.c checkpoint, or a damaged one");
        }

        if (h.Dimension % h.Heads != 0 || h.Heads % h.KeyValueHeads != 0 || h.Dimension / h.Heads % 2 != 0)
            throw Fault(TensorFormatError.Value, $"{h.Dimension} channels, {h.Heads} heads and {h.KeyValueHeads} key-value heads do not fit each other");
    }

    // Asked only when the header makes no sense: a width of 640 begins with the same bytes as a pickle.
    private bool LooksLikePickle()
    {
        var start = new byte[4];
        _bytes.Read(0, start);
        return start.AsSpan().SequenceEqual("PK\x03\x04"u8) || (start[0] == 0x80 && start[1] is >= 2 and <= 5);
    }

    private void LayOutFloats(int version, bool hasSharedHead)
    {
        Header h = _header;
        int headDimension = h.Dimension / h.Heads;
        // Version 1 writes the norms first, version 0 in the order of the computation.
        if (version == 1)
        {
            EachLayer("input_layernorm", 1, h.Dimension);
            EachLayer("post_attention_layernorm", 1, h.Dimension);
            Add("model.norm.weight", Place(h.Dimension), h.Dimension);
        }

        Add("model.embed_tokens.weight", Place((long)h.Vocabulary * h.Dimension), h.Vocabulary, h.Dimension);
        if (version == 0) EachLayer("input_layernorm", 1, h.Dimension);
        EachLayer("self_attn.q_proj", h.Dimension, h.Dimension, headDimension);
        EachLayer("self_attn.k_proj", h.KeyValueHeads * headDimension, h.Dimension, headDimension);
        EachLayer("self_attn.v_proj", h.KeyValueHeads * headDimension, h.Dimension);
        EachLayer("self_attn.o_proj", h.Dimension, h.Dimension);
        if (version == 0) EachLayer("post_attention_layernorm", 1, h.Dimension);
        EachLayer("mlp.gate_proj", h.Hidden, h.Dimension);
        EachLayer("mlp.down_proj", h.Dimension, h.Hidden);
        EachLayer("mlp.up_proj", h.Hidden, h.Dimension);
        if (version == 0)
        {
            Add("model.norm.weight", Place(h.Dimension), h.Dimension);
            _position += 2L * h.Context * (headDimension / 2) * sizeof(float); // tables of cosines and sines, which the model computes itself
        }

        if (!hasSharedHead) Add("lm_head.weight", Place((long)h.Vocabulary * h.Dimension), h.Vocabulary, h.Dimension);

        void EachLayer(string name, int rows, int columns, int heads = 0)
        {
            for (int layer = 0; layer < h.Layers; layer++)
            {
                Placement placement = Place((long)rows * columns) with { HeadDimension = heads };
                if (rows == 1) Add($"model.layers.{layer}.{name}.weight", placement, columns);
                else Add($"model.layers.{layer}.{name}.weight", placement, rows, columns);
            }
        }
    }

    private void LayOutQuantized(bool hasSharedHead)
    {
        Header h = _header;
        int headDimension = h.Dimension / h.Heads, keyValueWidth = h.KeyValueHeads * headDimension;
        // Groups run over a whole matrix, so that its rows need not be multiples of them.
        if (_groupSize < 1 || h.Dimension % _groupSize != 0) throw Fault(TensorFormatError.Value, $"groups of {_groupSize} do not divide rows of {h.Dimension}");
        for (int layer = 0; layer < h.Layers; layer++) Add($"model.layers.{layer}.input_layernorm.weight", Place(h.Dimension), h.Dimension);
        for (int layer = 0; layer < h.Layers; layer++) Add($"model.layers.{layer}.post_attention_layernorm.weight", Place(h.Dimension), h.Dimension);
        Add("model.norm.weight", Place(h.Dimension), h.Dimension);
        Quantized("model.embed_tokens.weight", h.Vocabulary, h.Dimension);
        EachLayer("self_attn.q_proj", h.Dimension, h.Dimension, headDimension);
        EachLayer("self_attn.k_proj", keyValueWidth, h.Dimension, headDimension);
        EachLayer("self_attn.v_proj", keyValueWidth, h.Dimension);
        EachLayer("self_attn.o_proj", h.Dimension, h.Dimension);
        EachLayer("mlp.gate_proj", h.Hidden, h.Dimension);
        EachLayer("mlp.down_proj", h.Dimension, h.Hidden);
        EachLayer("mlp.up_proj", h.Hidden, h.Dimension);
        if (!hasSharedHead) Quantized("lm_head.weight", h.Vocabulary, h.Dimension);

        void EachLayer(string name, int rows, int columns, int heads = 0)
        {
            for (int layer = 0; layer < h.Layers; layer++) Quantized($"model.layers.{layer}.{name}.weight", rows, columns, heads);
        }

        void Quantized(string name, int rows, int columns, int heads = 0)
        {
            long elements = (long)rows * columns;
            long codes = _position;
            long scales = codes + elements;
            _position = scales + elements / _groupSize * sizeof(float);
            Add(name, new Placement(codes, scales, heads), rows, columns);
        }
    }

    private Placement Place(long elements)
    {
        var placement = new Placement(_position, 0, 0);
        _position += elements * sizeof(float);
        return placement;
    }

    private void Add(string name, Placement placement, params long[] shape)
    {
        // The size is believed only as far as the file reaches; the check at the end names the difference.
        _tensors.Add(name, new TensorInfo(name, ElementType.F32, shape));
        _placements.Add(name, placement);
        if (_position > _bytes.Length) throw Fault(TensorFormatError.Truncated, $"the data end at byte {_position}, the file has {_bytes.Length}", name);
    }

    private JsonObject CreateConfiguration(bool hasSharedHead) => new()
    {
        ["architectures"] = new JsonArray("LlamaForCausalLM"),
        ["model_type"] = "llama",
        ["hidden_size"] = _header.Dimension,
        ["intermediate_size"] = _header.Hidden,
        ["num_hidden_layers"] = _header.Layers,
        ["num_attention_heads"] = _header.Heads,
        ["num_key_value_heads"] = _header.KeyValueHeads,
        ["head_dim"] = _header.Dimension / _header.Heads,
        ["vocab_size"] = _header.Vocabulary,
        ["max_position_embeddings"] = _header.Context,
        ["rms_norm_eps"] = 1e-5,
        ["rope_theta"] = 10000.0,
        ["hidden_act"] = "silu",
        ["tie_word_embeddings"] = hasSharedHead,
        ["bos_token_id"] = 1,
        ["eos_token_id"] = 2,
        ["attention_bias"] = false,
        ["mlp_bias"] = false,
        ["torch_dtype"] = "float32",
    };

    private TensorFormatException Fault(TensorFormatError kind, string reason, string? tensor = null) => new(kind, reason, _bytes.Path, tensor);

    private readonly record struct Placement(long Offset, long ScalesOffset, int HeadDimension);

    private readonly record struct Header(int Dimension, int Hidden, int Layers, int Heads, int KeyValueHeads, int Vocabulary, int Context)
    {
        public static Header Read(ReadOnlySpan<byte> bytes) => new(
            BinaryPrimitives.ReadInt32LittleEndian(bytes), BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[20..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[24..]));
    }
}
