using System.Runtime.Intrinsics;

namespace TensorCompress.Compression.Qet.Universal;

/// <summary>Rotated rows as words of universal codebooks: each row has a scale and a rate. Immutable once its words are written.</summary>
internal sealed class UniversalRows
{
    private const int Dimension = UniversalCodebook.Dimension;

    private readonly byte[] _codes;
    private readonly int[] _starts;

    /// <param name="columns">Columns.</param>
    /// <param name="rotation">Width of the blocks that were rotated.</param>
    /// <param name="rates">Index of the rate of each row.</param>
    /// <param name="scales">Scale of each row, as stored.</param>
    /// <param name="hasWideScales">Whether scales are stored as F32, not F16.</param>
    /// <param name="codes">Words of the rows, each row from a byte on; null for zeros to be written.</param>
    public UniversalRows(int columns, int rotation, byte[] rates, float[] scales, bool hasWideScales, byte[]? codes = null)
    {
        (Columns, Rotation, Rates, Scales, HasWideScales) = (columns, rotation, rates, scales, hasWideScales);
        _starts = new int[rates.Length + 1];
        for (int row = 0; row < rates.Length; row++) _starts[row + 1] = checked(_starts[row] + UniversalRate.All[rates[row]].RowBytes(Segments));
        _codes = codes ?? new byte[_starts[^1]];
    }

    public int Rows => Rates.Length;

    public int Columns { get; }

    public int Rotation { get; }

    public byte[] Rates { get; }

    public float[] Scales { get; }

    public bool HasWideScales { get; }

    public byte[] Codes => _codes;

    /// <summary>Vectors of a row; the last one may reach beyond it.</summary>
    public int Segments => SegmentsOf(Columns);

    public bool HasOneRate => !Rates.AsSpan().ContainsAnyExcept(Rates[0]);

    public long ByteLength => _codes.Length + sizeof(int) * (long)_starts.Length + Rates.Length + sizeof(float) * (long)Scales.Length;

    public static int SegmentsOf(int columns) => (columns - 1) / Dimension + 1;

    /// <summary>Encodes a segment; writes nothing.</summary>
    /// <param name="rate">Its row's rate.</param>
    /// <param name="scale">Its row's scale.</param>
    /// <param name="values">Eight numbers, or fewer at the end of a row.</param>
    /// <param name="decoded">Eight numbers: what the words stand for.</param>
    public static (int First, int Second) Encode(UniversalRate rate, float scale, ReadOnlySpan<float> values, Span<float> decoded)
    {
        Span<float> x = stackalloc float[Dimension];
        x.Clear();
        if (scale != 0)
        {
            for (int k = 0; k < values.Length; k++) x[k] = values[k] / scale;
        }

        int first = rate.First.Encode(x), second = 0;
        if (rate.Second is { } next)
        {
            Vector256<float> left = Vector256.Create<float>(x) - rate.First.Decode(first) / UniversalCodebook.Steps;
            (left / rate.Ratio).CopyTo(x);
            second = next.Encode(x);
        }

        Decode(rate, scale, first, second).CopyTo(decoded);
        return (first, second);
    }

    /// <summary>The numbers that words stand for.</summary>
    public static Vector256<float> Decode(UniversalRate rate, float scale, int first, int second)
    {
        Vector256<float> steps = rate.First.Decode(first);
        if (rate.Second is { } next) steps += next.Decode(second) * rate.Ratio; // exact: integers and a ratio of few bits
        return steps * (scale / UniversalCodebook.Steps);
    }

    /// <summary>Writes the words of a segment over zero bits.</summary>
    public void Write(int row, int segment, (int First, int Second) words)
    {
        UniversalRate rate = UniversalRate.All[Rates[row]];
        Span<byte> codes = _codes.AsSpan(_starts[row].._starts[row + 1]);
        BitStream.Write(codes, (long)segment * rate.Bits, words.First);
        if (rate.Second is not null) BitStream.Write(codes, (long)segment * rate.Bits + rate.First.Bits, words.Second);
    }

    /// <summary>Decodes a row, rotated as it is.</summary>
    public void DecodeRotated(int row, Span<float> destination)
    {
        UniversalRate rate = UniversalRate.All[Rates[row]];
        ReadOnlySpan<byte> codes = _codes.AsSpan(_starts[row].._starts[row + 1]);
        float scale = Scales[row];
        int whole = destination.Length / Dimension;
        for (int segment = 0; segment < whole; segment++) Segment(rate, scale, codes, segment).CopyTo(destination.Slice(segment * Dimension, Dimension));
        if (whole == Segments) return;
        Span<float> last = stackalloc float[Dimension];
        Segment(rate, scale, codes, whole).CopyTo(last);
        last[..(destination.Length - whole * Dimension)].CopyTo(destination[(whole * Dimension)..]);
    }

    /// <summary>Decodes a row.</summary>
    public void DecodeRow(int row, Span<float> destination)
    {
        DecodeRotated(row, destination);
        BlockHadamard.Undo(destination, Rotation);
    }

    private static Vector256<float> Segment(UniversalRate rate, float scale, ReadOnlySpan<byte> codes, int segment)
    {
        long bit = (long)segment * rate.Bits;
        int first = BitStream.Read(codes, bit, rate.First.Bits);
        return Decode(rate, scale, first, rate.Second is { } next ? BitStream.Read(codes, bit + rate.First.Bits, next.Bits) : 0);
    }
}
