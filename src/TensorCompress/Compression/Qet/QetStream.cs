using System.Buffers.Binary;
using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Kernels;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>A <see cref="QetTensor"/> on its own in a stream, little-endian: magic, version, the plan, and the parts of every stage in order, whose sizes follow from the plan; then the axes of a learnt rotation.</summary>
internal static class QetStream
{
    private const int Version = 1, MostBytesAtOnce = 1 << 20;

    private static ReadOnlySpan<byte> Magic => "QETensor"u8;

    /// <summary>Writes one.</summary>
    public static void Write(QetTensor tensor, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        QetPlan plan = tensor.Plan;
        QetOptions options = plan.Options;
        using var writer = new BinaryWriter(stream, System.Text.Encoding.UTF8, leaveOpen: true);
        writer.Write(Magic);
        writer.Write(Version);
        writer.Write((long)plan.Rows);
        writer.Write((long)plan.Columns);
        writer.Write(options.Subspaces);
        writer.Write(options.CodebookBits);
        writer.Write(options.GridPerGroup ? 1 : 0);
        writer.Write((int)options.Rotation);
        writer.Write(options.Iterations);
        writer.Write(options.BeamWidth);
        writer.Write(options.Seed);
        writer.Write(options.Stages.Count);
        foreach ((QetStageOptions stage, int centroids) in options.Stages.Zip(plan.Centroids))
        {
            writer.Write(stage.SwapLayers);
            writer.Write(stage.Share);
            writer.Write(centroids);
        }

        foreach (QetEncodedStage stage in tensor.Stages)
        {
            writer.Write(stage.Swaps);
            writer.Write(stage.Codes);
            writer.Write(stage.Codebook.Stored);
            foreach (float scale in stage.Codebook.Scales) writer.Write(scale);
        }

        if (tensor.Rotation is LearntRotation learnt) writer.Write(learnt.Stored);
    }

    /// <summary>Reads one.</summary>
    /// <exception cref="TensorFormatException">The stream ends early, or holds something else or what cannot be.</exception>
    public static QetTensor Read(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (!ReadBytes(stream, Magic.Length).AsSpan().SequenceEqual(Magic)) throw new TensorFormatException(TensorFormatError.Magic, "A tensor of the codec begins with \"QETensor\".");
        if (ReadInt32(stream) is not Version and int version) throw new TensorFormatException(TensorFormatError.Version, $"Version {version} is not known; {Version} is.");
        QetPlan plan = ReadPlan(stream);
        var stages = new QetEncodedStage[plan.Centroids.Count];
        for (int i = 0; i < stages.Length; i++)
        {
            BitAccount account = plan.AccountOf(i);
            byte[] swaps = ReadBytes(stream, BitStream.Padded(account.Swaps) / 8), codes = ReadBytes(stream, BitStream.Padded(account.Codes) / 8), numbers = ReadBytes(stream, BitStream.Padded(account.Codebooks) / 8);
            float[] scales = new float[2 * plan.Grids];
            ElementConversion.ToSingle(ElementType.F32, ReadBytes(stream, account.Scales / 8), scales);
            int infinite = Array.FindIndex(scales, scale => !float.IsFinite(scale));
            if (infinite >= 0) throw Wrong($"number {infinite} of the scales of stage {i} is {scales[infinite]}");
            stages[i] = new QetEncodedStage(swaps, codes, new QetCodebook(plan, i, numbers, scales), plan.Options.Stages[i].SwapLayers, plan.CodeBits(i), plan.Centroids[i]);
            if (stages[i].Fault(plan.Rows, plan.Options.Subspaces) is { } fault) throw Wrong($"stage {i}: {fault.Message}");
        }

        RowRotation? rotation = plan.Options.Rotation switch
        {
            QetRotation.Hadamard => new HadamardRotation((int)plan.Columns),
            QetRotation.Learnt => LearntRotation.FromStored((int)plan.Columns, ReadBytes(stream, LearntRotation.BytesFor(plan.Columns)), Wrong),
            _ => null,
        };
        return new QetTensor(plan, stages, rotation);
    }

    private static QetPlan ReadPlan(Stream stream)
    {
        try
        {
            long rows = ReadInt64(stream), columns = ReadInt64(stream);
            int subspaces = ReadInt32(stream), bits = ReadInt32(stream), grid = ReadInt32(stream), rotation = ReadInt32(stream), iterations = ReadInt32(stream), beam = ReadInt32(stream);
            ulong seed = (ulong)ReadInt64(stream);
            int count = ReadInt32(stream);
            if (count is < 1 or > QetOptions.MaxStages) throw Wrong($"{count} stages");
            if (grid is not (0 or 1)) throw Wrong($"a grid per group is {grid}");
            var stages = new QetStageOptions[count];
            int[] centroids = new int[count];
            for (int i = 0; i < count; i++) (stages[i], centroids[i]) = (new QetStageOptions(ReadInt32(stream), BitConverter.Int64BitsToDouble(ReadInt64(stream))), ReadInt32(stream));
            var options = new QetOptions(subspaces, stages, bits, grid == 1, iterations, seed) { BeamWidth = beam, Rotation = (QetRotation)rotation };
            return QetPlan.WithCentroids(checked((nint)rows), checked((nint)columns), centroids, options);
        }
        catch (Exception fault) when (fault is ArgumentException or NotSupportedException or OverflowException)
        {
            throw new TensorFormatException(TensorFormatError.Value, fault.Message, innerException: fault);
        }
    }

    private static TensorFormatException Wrong(string message) => new(TensorFormatError.Value, message);

    private static int ReadInt32(Stream stream) => BinaryPrimitives.ReadInt32LittleEndian(ReadBytes(stream, sizeof(int)));

    private static long ReadInt64(Stream stream) => BinaryPrimitives.ReadInt64LittleEndian(ReadBytes(stream, sizeof(long)));

    /// <summary>Reads so many bytes. Memory grows with what comes: a size that a damaged header declares takes none.</summary>
    private static byte[] ReadBytes(Stream stream, long count)
    {
        byte[] bytes = new byte[Math.Min(count, MostBytesAtOnce)];
        for (int read = 0; ;)
        {
            int got = stream.ReadAtLeast(bytes.AsSpan(read), bytes.Length - read, throwOnEndOfStream: false);
            read += got;
            if (read < bytes.Length) throw new TensorFormatException(TensorFormatError.Truncated, $"The stream ends {count - read} bytes early.");
            if (read == count) return bytes;
            Array.Resize(ref bytes, (int)Math.Min(count, 2L * bytes.Length));
        }
    }
}
