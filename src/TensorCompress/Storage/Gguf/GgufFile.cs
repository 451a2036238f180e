using System.Buffers;
using System.Runtime.InteropServices;

namespace TensorCompress.Storage.Gguf;

/// <summary>A GGUF file (versions 2 and 3), read by random access. Tensors appear under their GGUF names with row-major shapes and read as floats. Safe for concurrent readers.</summary>
public sealed class GgufFile : ITensorSource
{
    private const uint Magic = 0x46554747; // "GGUF"
    private const int MaxTensors = 1_000_000;
    private const int MaxKeys = 1_000_000;
    internal const int MaxNameBytes = 63;
    private const int MaxRank = 4;
    private const int BlockBytes = 1 << 18;

    private readonly ByteSource _bytes;
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly Dictionary<string, Placement> _placements = [];
    private readonly List<string> _warnings = [];
    private readonly long _dataStart;

    private GgufFile(ByteSource bytes)
    {
        _bytes = bytes;
        var reader = new GgufReader(bytes);
        uint magic = reader.UInt32();
        if (magic != Magic) throw reader.Fault(TensorFormatError.Magic, $"the file begins with {magic:x8}, a GGUF file with {Magic:x8}");
        uint version = reader.UInt32();
        if (version is not (2 or 3))
            throw reader.Fault(TensorFormatError.Version, $"version {version}{(version is 0x02000000 or 0x03000000 ? ", in the other byte order (big-endian)," : "")}; supported: 2, 3");
        ulong tensors = reader.UInt64(), keys = reader.UInt64();
        long tensorCount = reader.Count(tensors, 24, MaxTensors, "tensors");
        Metadata = new GgufMetadata(reader, reader.Count(keys, 13, MaxKeys, "keys"), bytes.Path);
        long alignment = ReadAlignment(reader);
        ReadTensorInfos(reader, tensorCount);
        _dataStart = checked((reader.Position + alignment - 1) / alignment * alignment);
        CheckPlacements(reader, alignment);
    }

    /// <summary>The key-value part.</summary>
    public GgufMetadata Metadata { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>Oddities that do no harm.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Opens a file.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="TensorFormatException">It is damaged, or has a tensor type that is not known (the message names it).</exception>
    public static GgufFile Open(string path) => Open(ByteSource.OpenFile(path));

    /// <summary>Opens a seekable stream, which the caller keeps open and closes.</summary>
    /// <inheritdoc cref="Open(string)"/>
    public static GgufFile Open(Stream stream) => Open(ByteSource.OfStream(stream));

    /// <summary>Opens a file in memory.</summary>
    /// <inheritdoc cref="Open(string)"/>
    public static GgufFile Open(ReadOnlyMemory<byte> bytes) => Open(ByteSource.OfMemory(bytes));

    /// <summary>Name of a tensor's stored type, for instance <c>Q4_1</c>.</summary>
    public string StoredType(string name) => _placements[name].Type.Name;

    /// <summary>Bytes that a tensor takes in the file.</summary>
    public long StoredBytes(string name) => _placements[name].ByteLength;

    /// <summary>Whether a tensor's values were rounded to a few levels when the file was made.</summary>
    public bool IsQuantized(string name) => _placements[name].Type.IsQuantized;

    /// <inheritdoc/>
    /// <remarks>Of plain elements the bytes are those of the file, of blocks those of the decoded floats.</remarks>
    public void ReadBytes(string name, long offset, Span<byte> destination)
    {
        Placement placement = Find(name);
        if (placement.Type.IsQuantized)
        {
            TensorReading.ReadBytesOfSingles(this, name, offset, destination);
            return;
        }

        if (offset < 0 || offset > placement.ByteLength - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{destination.Length} bytes from {offset} leave the tensor {name} of {placement.ByteLength} bytes.");
        _bytes.Read(_dataStart + placement.Offset + offset, destination);
    }

    /// <inheritdoc/>
    public void ReadSingles(string name, long firstElement, Span<float> destination)
    {
        Placement placement = Find(name);
        if (firstElement < 0 || firstElement > _tensors[name].ElementCount - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(firstElement), firstElement, $"{destination.Length} elements from {firstElement} leave the tensor {name} of {_tensors[name].ElementCount}.");
        GgufTensorType type = placement.Type;
        if (type == GgufTensorTypes.F32)
        {
            _bytes.Read(_dataStart + placement.Offset + firstElement * sizeof(float), MemoryMarshal.AsBytes(destination));
            return;
        }

        int blocksAtATime = BlockBytes / type.BlockBytes;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(blocksAtATime * type.BlockBytes);
        float[] partial = [];
        try
        {
            int done = 0;
            while (done < destination.Length)
            {
                (long block, long within) = Math.DivRem(firstElement + done, type.BlockValues);
                long offset = _dataStart + placement.Offset + block * type.BlockBytes;
                int left = destination.Length - done;
                if (within != 0 || left < type.BlockValues)
                {
                    // A range that begins or ends inside a block.
                    if (partial.Length == 0) partial = new float[type.BlockValues];
                    _bytes.Read(offset, buffer.AsSpan(0, type.BlockBytes));
                    type.Decode(buffer.AsSpan(0, type.BlockBytes), partial);
                    int count = (int)Math.Min(left, type.BlockValues - within);
                    partial.AsSpan((int)within, count).CopyTo(destination[done..]);
                    done += count;
                    continue;
                }

                int blocks = Math.Min(blocksAtATime, left / type.BlockValues);
                Span<byte> bytes = buffer.AsSpan(0, blocks * type.BlockBytes);
                _bytes.Read(offset, bytes);
                type.Decode(bytes, destination.Slice(done, blocks * type.BlockValues));
                done += blocks * type.BlockValues;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _bytes.Dispose();

    private Placement Find(string name) => _placements.TryGetValue(name, out Placement found) ? found : throw new KeyNotFoundException($"There is no tensor {name}.");

    private static GgufFile Open(ByteSource bytes)
    {
        try
        {
            return new GgufFile(bytes);
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }

    private long ReadAlignment(GgufReader reader)
    {
        long alignment = Metadata.UInt32("general.alignment") ?? 32;
        const long largest = 1 << 20;
        return alignment is >= 1 and <= largest && long.IsPow2(alignment)
            ? alignment
            : throw reader.Fault(TensorFormatError.Value, $"an alignment of {alignment}; a power of two up to {largest} is required");
    }

    private void ReadTensorInfos(GgufReader reader, long count)
    {
        for (long i = 0; i < count; i++)
        {
            string name = reader.Name(MaxNameBytes, "a tensor name", TensorFormatError.Name);
            uint rank = reader.UInt32();
            if (rank > MaxRank) throw reader.Fault(TensorFormatError.Shape, $"{rank} dimensions; at most {MaxRank} are possible", name);
            var dimensions = new ulong[rank];
            for (int d = dimensions.Length - 1; d >= 0; d--) dimensions[d] = reader.UInt64(); // the file has the fastest one first
            uint typeId = reader.UInt32();
            GgufTensorType type = GgufTensorTypes.Find(typeId)
                ?? throw reader.Fault(TensorFormatError.Type, $"the tensor type {GgufTensorTypes.Describe(typeId)} is not supported; supported: {string.Join(", ", GgufTensorTypes.All.Select(known => known.Name))}", name);
            ulong offset = reader.UInt64();
            Placement placement = CheckSize(reader, name, dimensions, type, offset);
            if (!_tensors.TryAdd(name, new TensorInfo(name, type.ElementType, [.. dimensions.Select(dimension => (long)dimension)])))
                throw reader.Fault(TensorFormatError.Duplicate, "the name stands twice", name);
            _placements.Add(name, placement);
        }
    }

    private static Placement CheckSize(GgufReader reader, string name, ulong[] dimensions, GgufTensorType type, ulong offset)
    {
        if (dimensions.Any(dimension => dimension > long.MaxValue)) throw reader.Fault(TensorFormatError.Shape, $"a dimension of [{string.Join(", ", dimensions)}] is negative", name);
        long elements = CheckedSizes.ElementCount(dimensions) ?? throw reader.Fault(TensorFormatError.Overflow, $"shape [{string.Join(", ", dimensions)}] has too many elements", name);
        if (CheckedSizes.BitCount(elements, 32) is null) throw reader.Fault(TensorFormatError.Overflow, $"shape [{string.Join(", ", dimensions)}] has too many bytes", name);
        ulong row = dimensions.Length == 0 ? 1 : dimensions[^1];
        if (row % (ulong)type.BlockValues != 0) throw reader.Fault(TensorFormatError.Shape, $"rows of {row} values are no whole blocks of {type.BlockValues} ({type.Name})", name);
        long bits = CheckedSizes.BitCount(elements / type.BlockValues, type.BlockBytes * 8) ?? throw reader.Fault(TensorFormatError.Overflow, "too many bytes", name);
        if (offset > long.MaxValue) throw reader.Fault(TensorFormatError.Offset, $"the data begin at {offset}", name);
        return new Placement((long)offset, bits / 8, type);
    }

    // Tensors follow each other in the order of their names in the header, each at the next aligned offset.
    private void CheckPlacements(GgufReader reader, long alignment)
    {
        UInt128 next = 0;
        UInt128 end = 0;
        foreach ((string name, Placement placement) in _placements)
        {
            if ((UInt128)placement.Offset != next) throw reader.Fault(TensorFormatError.Offset, $"the data begin at {placement.Offset}, where {next} is due", name);
            end = next + (UInt128)placement.ByteLength;
            if (end > long.MaxValue) throw reader.Fault(TensorFormatError.Overflow, "the sizes of all tensors are too large", name);
            next = (end + (UInt128)alignment - 1) / (UInt128)alignment * (UInt128)alignment;
            if ((UInt128)_dataStart + end > (UInt128)_bytes.Length)
                throw reader.Fault(TensorFormatError.Truncated, $"the data end at byte {(UInt128)_dataStart + end}, the file has {_bytes.Length}", name);
        }

        if ((UInt128)_bytes.Length > (UInt128)_dataStart + next) _warnings.Add($"{(UInt128)_bytes.Length - (UInt128)_dataStart - next} bytes after the last tensor");
    }

    private readonly record struct Placement(long Offset, long ByteLength, GgufTensorType Type);
}
