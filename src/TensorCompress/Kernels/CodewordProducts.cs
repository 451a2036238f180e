using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>
/// Rows of words (<see cref="CodewordFormat"/>) times one vector, decoded in registers, or decoded to floats. Sixteen columns are two words: their bits begin at a byte, one 8-byte read for each.
/// A result is sixteen running sums and one tree, as in <see cref="DotProducts"/>: decoding and multiplying there gives the same bits.
/// </summary>
/// <remarks>
/// Bound: 0.19 to 0.63 bytes of codes a weight. Where they come from a cache, instructions: at 256 bits sixteen columns of one stage take 2 reads of codes, 2 of the table (2 KiB, or 32 KiB and then
/// half of them from the second-level cache), 2 conversions, 6 for signs, 8 for indexes, 2 multiply-adds with reads, about 24 in all; order adds 6, a second stage 16.
/// Two rows at a time, because a multiply-add must wait for the one before.
/// </remarks>
internal static unsafe class CodewordProducts
{
    /// <summary>Bytes behind the last row that make it readable.</summary>
    public const int SlackBytes = 32;

    /// <summary>Bytes from the beginning of sixteen columns that are read at most: eight from the second word on.</summary>
    internal const int StepReads = 13;

    private const int Lanes = 16;

    private delegate void Body(byte* codes, nint rowBytes, int rows, Operands operands);

    /// <summary>Multiplies rows by a vector; one thread.</summary>
    /// <param name="format">The words.</param>
    /// <param name="codes">Rows, <see cref="SlackBytes"/> behind the last one.</param>
    /// <param name="rowBytes">Bytes from a row to the next.</param>
    /// <param name="x">Finite; zeros up to a multiple of sixteen.</param>
    /// <param name="destination">A number for each row: the sums, not yet scaled.</param>
    public static void Multiply(CodewordFormat format, ReadOnlySpan<byte> codes, int rowBytes, ReadOnlySpan<float> x, Span<float> destination)
    {
        switch (SimdLevel.Undivided)
        {
            case SimdWidth.Bits512: Multiply<Simd512, Codewords512>(format, codes, rowBytes, x, destination); break;
            case SimdWidth.Bits256: Multiply<Simd256, Codewords256>(format, codes, rowBytes, x, destination); break;
            case SimdWidth.Bits128: Multiply<Simd128, Codewords128>(format, codes, rowBytes, x, destination); break;
            default: Multiply<SimdScalar, CodewordsScalar>(format, codes, rowBytes, x, destination); break;
        }
    }

    /// <summary>Decodes a row to the numbers of the codewords.</summary>
    /// <param name="format">The words.</param>
    /// <param name="codes">The row and <see cref="SlackBytes"/> behind it.</param>
    /// <param name="destination">As long as the row, or up to a multiple of sixteen: any numbers there.</param>
    public static void Decode(CodewordFormat format, ReadOnlySpan<byte> codes, Span<float> destination)
    {
        switch (SimdLevel.Undivided)
        {
            case SimdWidth.Bits512: Decode<Simd512, Codewords512>(format, codes, destination); break;
            case SimdWidth.Bits256: Decode<Simd256, Codewords256>(format, codes, destination); break;
            case SimdWidth.Bits128: Decode<Simd128, Codewords128>(format, codes, destination); break;
            default: Decode<SimdScalar, CodewordsScalar>(format, codes, destination); break;
        }
    }

    internal static void Multiply<TSimd, TLanes>(CodewordFormat format, ReadOnlySpan<byte> codes, int rowBytes, ReadOnlySpan<float> x, Span<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TLanes : struct, ICodewordLanes<TSimd>
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Length % Lanes, 0, nameof(x));
        ThrowIfShort(format, codes, (destination.Length - 1) * (long)rowBytes, x.Length);
        fixed (byte* source = codes, first = format.First.Magnitudes, second = format.Second?.Magnitudes)
        fixed (float* input = x, results = destination)
        {
            var operands = new Operands(first, second, format.Ratio, input, x.Length, results);
            Choose<TSimd, TLanes>(format).Multiply(source, rowBytes, destination.Length, operands);
        }
    }

    internal static void Decode<TSimd, TLanes>(CodewordFormat format, ReadOnlySpan<byte> codes, Span<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TLanes : struct, ICodewordLanes<TSimd>
    {
        ThrowIfShort(format, codes, 0, destination.Length);
        fixed (byte* source = codes, first = format.First.Magnitudes, second = format.Second?.Magnitudes)
        fixed (float* results = destination)
        {
            Choose<TSimd, TLanes>(format).Decode(source, 0, 1, new Operands(first, second, format.Ratio, null, destination.Length, results));
        }
    }

    private static (Body Multiply, Body Decode) Choose<TSimd, TLanes>(CodewordFormat format)
        where TSimd : struct, ISimd<TSimd>
        where TLanes : struct, ICodewordLanes<TSimd> => (format.First.Bits, format.Second?.Bits) switch
        {
            (12, null) => Bodies<TSimd, TLanes, OneWord<SignedWord4>>.Both,
            (16, null) => Bodies<TSimd, TLanes, OneWord<SignedWord8>>.Both,
            (20, null) => Bodies<TSimd, TLanes, OneWord<SignedWord12>>.Both,
            (24, null) => Bodies<TSimd, TLanes, OneWord<OrderedWord12>>.Both,
            (16, 16) => Bodies<TSimd, TLanes, TwoWords<SignedWord8, SignedWord8>>.Both,
            (24, 16) => Bodies<TSimd, TLanes, TwoWords<OrderedWord12, SignedWord8>>.Both,
            _ => throw new NotSupportedException($"Words of {format.First.Bits} and {format.Second?.Bits ?? 0} bits have no kernel."),
        };

    private static void ThrowIfShort(CodewordFormat format, ReadOnlySpan<byte> codes, long lastRow, int columns)
    {
        long needed = lastRow + (columns - 1L) / Lanes * (format.Bits / 4) + StepReads;
        if (columns > 0 && codes.Length < needed) throw new ArgumentException($"Codes of {codes.Length} bytes; {needed} are read.", nameof(codes));
    }

    /// <summary>What rows are decoded and multiplied with.</summary>
    private readonly struct Operands(byte* first, byte* second, float ratio, float* x, nint columns, float* y)
    {
        public readonly byte* First = first, Second = second;
        public readonly float Ratio = ratio;
        public readonly float* X = x, Y = y;
        public readonly nint Columns = columns;
    }

    private static class Bodies<TSimd, TLanes, TFormat>
        where TSimd : struct, ISimd<TSimd>
        where TLanes : struct, ICodewordLanes<TSimd>
        where TFormat : struct, ICodewordSteps
    {
        public static readonly (Body Multiply, Body Decode) Both = (Multiply, Decode);

        private static void Multiply(byte* codes, nint rowBytes, int rows, Operands operands)
        {
            int row = 0;
            for (; row < rows - 1; row += 2) TwoRows(codes + row * rowBytes, rowBytes, operands, operands.Y + row);
            if (row < rows) OneRow(codes + row * rowBytes, operands, operands.Y + row);
        }

        private static void TwoRows(byte* codes, nint rowBytes, Operands operands, float* y)
        {
            byte* next = codes + rowBytes, first = operands.First, second = operands.Second;
            float* x = operands.X, end = x + operands.Columns;
            TSimd ratio = TSimd.Broadcast(operands.Ratio), s0 = TSimd.Zero, s1 = TSimd.Zero;
            for (; x < end; x += Lanes, codes += TFormat.StepBytes, next += TFormat.StepBytes)
            {
                TSimd v = TSimd.Load(x);
                TSimd.Accumulate(ref s0, TFormat.Numbers<TSimd, TLanes>(codes, first, second, ratio), v);
                TSimd.Accumulate(ref s1, TFormat.Numbers<TSimd, TLanes>(next, first, second, ratio), v);
            }

            y[0] = Reduction.Sum(s0);
            y[1] = Reduction.Sum(s1);
        }

        private static void OneRow(byte* codes, Operands operands, float* y)
        {
            float* x = operands.X, end = x + operands.Columns;
            TSimd ratio = TSimd.Broadcast(operands.Ratio), sum = TSimd.Zero;
            for (; x < end; x += Lanes, codes += TFormat.StepBytes)
                TSimd.Accumulate(ref sum, TFormat.Numbers<TSimd, TLanes>(codes, operands.First, operands.Second, ratio), TSimd.Load(x));
            *y = Reduction.Sum(sum);
        }

        private static void Decode(byte* codes, nint rowBytes, int rows, Operands operands)
        {
            float* y = operands.Y, end = y + operands.Columns;
            TSimd ratio = TSimd.Broadcast(operands.Ratio);
            for (; y <= end - Lanes; y += Lanes, codes += TFormat.StepBytes) TSimd.Store(TFormat.Numbers<TSimd, TLanes>(codes, operands.First, operands.Second, ratio), y);
            if (y < end) Simd.Lanes.Store(TFormat.Numbers<TSimd, TLanes>(codes, operands.First, operands.Second, ratio), y, (nint)(end - y));
        }
    }
}

/// <summary>Sixteen numbers at a time of rows of words.</summary>
internal unsafe interface ICodewordSteps
{
    /// <summary>Bytes of sixteen columns.</summary>
    static abstract int StepBytes { get; }

    static abstract TSimd Numbers<TSimd, TLanes>(byte* codes, byte* first, byte* second, TSimd ratio)
        where TSimd : struct, ISimd<TSimd>
        where TLanes : struct, ICodewordLanes<TSimd>;
}

/// <summary>One word for eight columns.</summary>
internal readonly unsafe struct OneWord<TWord> : ICodewordSteps
    where TWord : struct, ICodeword
{
    // Without the attribute the compiler, out of its budget in the kernels' inner loops, calls these constants there.
    public static int Bits
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Codewords.SignBits + (TWord.IsOrdered ? Codewords.OrderBits : 0) + TWord.IndexBits;
    }

    public static int StepBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 2 * Bits / 8;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSimd Numbers<TSimd, TLanes>(byte* codes, byte* first, byte* second, TSimd ratio)
        where TSimd : struct, ISimd<TSimd>
        where TLanes : struct, ICodewordLanes<TSimd>
    {
        ulong bits = Unsafe.ReadUnaligned<ulong>(codes);
        return Numbers<TSimd, TLanes>(bits, bits >> Bits, first);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSimd Numbers<TSimd, TLanes>(ulong low, ulong high, byte* magnitudes)
        where TSimd : struct, ISimd<TSimd>
        where TLanes : struct, ICodewordLanes<TSimd>
    {
        byte* lower = magnitudes + Place(low), upper = magnitudes + Place(high);
        return TWord.IsOrdered ? TLanes.Ordered(lower, upper, (uint)low, (uint)high) : TLanes.Signed(lower, upper, (uint)low, (uint)high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nuint Place(ulong word) => ((nuint)(word >> (Bits - TWord.IndexBits)) & ((1u << TWord.IndexBits) - 1)) * Codewords.Dimension;
}

/// <summary>Two words for eight columns, one after the other.</summary>
internal readonly unsafe struct TwoWords<TFirst, TSecond> : ICodewordSteps
    where TFirst : struct, ICodeword
    where TSecond : struct, ICodeword
{
    /// <summary>Whole bytes.</summary>
    private static int Bits
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => OneWord<TFirst>.Bits + OneWord<TSecond>.Bits;
    }

    public static int StepBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 2 * Bits / 8;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSimd Numbers<TSimd, TLanes>(byte* codes, byte* first, byte* second, TSimd ratio)
        where TSimd : struct, ISimd<TSimd>
        where TLanes : struct, ICodewordLanes<TSimd>
    {
        ulong low = Unsafe.ReadUnaligned<ulong>(codes), high = Unsafe.ReadUnaligned<ulong>(codes + Bits / 8);
        TSimd sum = OneWord<TFirst>.Numbers<TSimd, TLanes>(low, high, first);
        TSimd.Accumulate(ref sum, OneWord<TSecond>.Numbers<TSimd, TLanes>(low >> OneWord<TFirst>.Bits, high >> OneWord<TFirst>.Bits, second), ratio);
        return sum;
    }
}
