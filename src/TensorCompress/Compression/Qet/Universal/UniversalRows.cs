using System.Runtime.Intrinsics;
using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet.Universal;

/// <summary>Rotated rows as words of universal codebooks: each row has a scale and a rate. Immutable once its words are written.</summary>
internal sealed class UniversalRows : IDisposable
{
    private const int Dimension = UniversalCodebook.Dimension;

    private readonly Matrix<byte> _codes;
    private readonly int[] _starts;

    /// <param name="columns">Columns.</param>
    /// <param name="rotation">Width of the blocks that were rotated.</param>
    /// <param name="rates">Index of the rate of each row.</param>
    /// <param name="scales">Scale of each row, as stored.</param>
    /// <param name="hasWideScales">Whether scales are stored as F32, not F16.</param>
    /// <param name="codes">Words of the rows, each row from a byte on; empty for zeros to be written.</param>
    public UniversalRows(int columns, int rotation, byte[] rates, float[] scales, bool hasWideScales, ReadOnlySpan<byte> codes = default)
    {
        (Columns, Rotation, Rates, Scales, HasWideScales) = (columns, rotation, rates, scales, hasWideScales);
        _starts = new int[rates.Length + 1];
        for (int row = 0; row < rates.Length; row++) _starts[row + 1] = checked(_starts[row] + UniversalRate.All[rates[row]].RowBytes(Segments));
        _codes = new Matrix<byte>(1, checked(_starts[^1] + CodewordProducts.SlackBytes));
        codes.CopyTo(_codes.Row(0));
    }

    public int Rows => Rates.Length;

    public int Columns { get; }

    public int Rotation { get; }

    public byte[] Rates { get; }

    public float[] Scales { get; }

    public bool HasWideScales { get; }

    /// <summary>What is stored.</summary>
    public ReadOnlySpan<byte> Codes => _codes.Row(0)[.._starts[^1]];

    /// <summary>Vectors of a row; the last one may reach beyond it.</summary>
    public int Segments => SegmentsOf(Columns);

    /// <summary>Columns filled up as products take them.</summary>
    public int PaddedColumns => (Columns + CodewordByteProducts.StepColumns - 1) & -CodewordByteProducts.StepColumns;

    /// <summary>How many of the first rows are multiplied by codes of activations.</summary>
    public int RowsOfCodes => Enumerable.Range(0, Rows).TakeWhile(row => CodewordByteProducts.Takes(FormatOf(row))).Count();

    public bool HasOneRate => !Rates.AsSpan().ContainsAnyExcept(Rates[0]);

    public long ByteLength => _codes.ByteLength + sizeof(int) * (long)_starts.Length + Rates.Length + sizeof(float) * (long)Scales.Length;

    /// <summary>Some of the rows, in any order, in memory of their own.</summary>
    /// <param name="order">Which row comes first, and so on.</param>
    public UniversalRows InOrder(int[] order)
    {
        var rows = new UniversalRows(Columns, Rotation, [.. order.Select(row => Rates[row])], [.. order.Select(row => Scales[row])], HasWideScales);
        for (int i = 0; i < order.Length; i++) Row(order[i])[..RowBytes(order[i])].CopyTo(rows._codes.Row(0)[rows._starts[i]..]);
        return rows;
    }

    /// <inheritdoc/>
    public void Dispose() => _codes.Dispose();

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
        Span<byte> codes = _codes.Row(0)[_starts[row].._starts[row + 1]];
        BitStream.Write(codes, (long)segment * rate.Bits, words.First);
        if (rate.Second is not null) BitStream.Write(codes, (long)segment * rate.Bits + rate.First.Bits, words.Second);
    }

    /// <summary>Multiplies rows, rotated as they are, by one vector; one thread.</summary>
    /// <param name="start">The first row.</param>
    /// <param name="x">A rotated vector, zeros up to <see cref="PaddedColumns"/>.</param>
    /// <param name="destination">A result for each row.</param>
    public void Multiply(int start, ReadOnlySpan<float> x, Span<float> destination)
    {
        for (int first = 0, next; first < destination.Length; first = next)
        {
            next = EndOfRate(start, first, destination.Length);
            CodewordProducts.Multiply(FormatOf(start + first), Row(start + first), RowBytes(start + first), x, destination[first..next]);
        }

        ScaleRows(start, destination);
    }

    /// <summary>The same by a vector of 8-bit codes.</summary>
    /// <param name="start">The first row.</param>
    /// <param name="codes">Of a rotated vector (<see cref="CodewordByteProducts.Quantize"/>), as many as <see cref="PaddedColumns"/>.</param>
    /// <param name="scales">Of the spans.</param>
    /// <param name="destination">A result for each row.</param>
    public void Multiply(int start, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> scales, Span<float> destination)
    {
        for (int first = 0, next; first < destination.Length; first = next)
        {
            next = EndOfRate(start, first, destination.Length);
            CodewordByteProducts.Multiply(FormatOf(start + first), Row(start + first), RowBytes(start + first), codes, scales, destination[first..next]);
        }

        ScaleRows(start, destination);
    }

    /// <summary>Multiplies some rows by several vectors of 8-bit codes to the bits that each has alone; one thread.</summary>
    /// <param name="start">The first row.</param>
    /// <param name="codes">[vectors, <see cref="PaddedColumns"/>].</param>
    /// <param name="scales">[vectors, spans].</param>
    /// <param name="destination">[vectors, rows].</param>
    /// <param name="decoded">Room for a span of the rows: [rows, span].</param>
    public void Multiply(int start, IntegerRows<sbyte> codes, MatrixView<float> scales, MatrixView<float> destination, IntegerRows<short> decoded)
    {
        int rows = (int)destination.Columns;
        for (nint token = 0; token < destination.Rows; token++) destination.Row(token).Clear();
        for (int column = 0; column < PaddedColumns; column += CodewordByteProducts.SpanColumns)
        {
            int count = Math.Min(CodewordByteProducts.SpanColumns, PaddedColumns - column);
            for (int i = 0; i < rows; i++) CodewordByteProducts.Decode(FormatOf(start + i), Row(start + i)[(column / Dimension * FormatOf(start + i).Bits / 8)..], decoded.Row(i)[..count]);
            IntegerDots.Add(decoded.Part(rows, 0, count), codes.Part(codes.Rows, column, count), scales.ColumnRange(column / CodewordByteProducts.SpanColumns, 1), destination);
        }

        for (nint token = 0; token < destination.Rows; token++) ScaleRows(start, destination.Row(token));
    }

    /// <summary>Multiplies some rows by several vectors to the bits that each has alone; one thread.</summary>
    /// <param name="start">The first row.</param>
    /// <param name="x">Rotated vectors, zeros up to <see cref="PaddedColumns"/>.</param>
    /// <param name="destination">[vectors, rows].</param>
    /// <param name="decoded">Room for the rows: [rows, <see cref="PaddedColumns"/>].</param>
    public void Multiply(int start, MatrixView<float> x, MatrixView<float> destination, MatrixView<float> decoded)
    {
        int rows = (int)destination.Columns;
        for (int i = 0; i < rows; i++) CodewordProducts.Decode(FormatOf(start + i), Row(start + i), decoded.Row(i));
        DotProducts.Multiply(decoded.RowRange(0, rows), x, destination);
        for (nint token = 0; token < destination.Rows; token++) ScaleRows(start, destination.Row(token));
    }

    /// <summary>Decodes a row, rotated as it is.</summary>
    public void DecodeRotated(int row, Span<float> destination)
    {
        CodewordProducts.Decode(FormatOf(row), Row(row), destination);
        float factor = Factor(row);
        foreach (ref float number in destination) number *= factor;
    }

    /// <summary>Decodes a row.</summary>
    public void DecodeRow(int row, Span<float> destination)
    {
        DecodeRotated(row, destination);
        BlockHadamard.Undo(destination, Rotation);
    }

    private ReadOnlySpan<byte> Row(int row) => _codes.Row(0)[_starts[row]..];

    private CodewordFormat FormatOf(int row) => UniversalRate.All[Rates[row]].Format;

    private int RowBytes(int row) => _starts[row + 1] - _starts[row];

    // Where, behind a first row, the last of its rate ends; both counted from the start.
    private int EndOfRate(int start, int first, int count)
    {
        int next = first + 1;
        while (next < count && Rates[start + next] == Rates[start + first]) next++;
        return next;
    }

    private void ScaleRows(int start, Span<float> results)
    {
        for (int i = 0; i < results.Length; i++) results[i] *= Factor(start + i);
    }

    private float Factor(int row) => Scales[row] / UniversalCodebook.Steps;
}
