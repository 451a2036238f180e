using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>
/// Rows of one word for eight columns (<see cref="CodewordFormat"/>) times a vector of 8-bit activations with a scale for every 1024 columns: magnitudes are multiplied as they are stored, activations take the signs. Per row and span the
/// sum is an exact integer below 2^24, <c>y = y + sum x scale</c> over the spans in order: the same bits at any width, and from floats that hold the same integers.
/// </summary>
/// <remarks>
/// At 256 bits 32 columns take, for words of whole bytes, 4 to 8 operations for indexes, 5 to gather magnitudes, 6 for signs and 3 for products: less than half of what <see cref="CodewordProducts"/> takes with floats. Order adds 6, words that
/// begin in the middle of a byte 3. Activations are at most 92 because neighbouring magnitudes of all codebooks add up to 353 at most, and two products must fit into 16 bits, 512 of these sums into 24. Rows of two words stay with
/// floats: their sums do not fit.
/// </remarks>
internal static unsafe class CodewordByteProducts
{
    /// <summary>Columns that share a scale.</summary>
    public const int SpanColumns = 1024;

    /// <summary>Columns that are worked on together; activations are filled up to a multiple of them.</summary>
    public const int StepColumns = 32;

    private const int Rows = 4, Dimension = Codewords.Dimension, LargestCode = 92;

    private const float Smallest = 1e-30f;

    private delegate void Body(byte* codes, nint rowBytes, int rows, Operands operands);

    private delegate void Decoder(byte* step, int steps, byte* magnitudes, short* destination);

    /// <summary>Spans of so many columns.</summary>
    public static int Spans(int columns) => (columns - 1) / SpanColumns + 1;

    /// <summary>Rounds activations to codes of -92 to 92.</summary>
    /// <param name="values">A multiple of <see cref="StepColumns"/>.</param>
    /// <param name="codes">As many.</param>
    /// <param name="scales">One for each span; NaN where a value is not finite, 0 where all are below 1e-30.</param>
    public static void Quantize(ReadOnlySpan<float> values, Span<sbyte> codes, Span<float> scales)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length % StepColumns, 0, nameof(values));
        ArgumentOutOfRangeException.ThrowIfNotEqual(codes.Length, values.Length, nameof(codes));
        ArgumentOutOfRangeException.ThrowIfNotEqual(scales.Length, Spans(values.Length), nameof(scales));
        fixed (float* x = values)
        fixed (sbyte* target = codes)
        {
            for (int span = 0; span < scales.Length; span++)
            {
                int start = span * SpanColumns, count = Math.Min(SpanColumns, values.Length - start);
                float largest = SignCodes.Largest(x + start, count);
                bool isZero = largest < Smallest;
                scales[span] = isZero ? 0 : largest / LargestCode;
                Vector128<float> factor = Vector128.Create(isZero ? 0 : LargestCode / largest);
                for (int i = start; i < start + count; i += 16)
                    Vector128.NarrowWithSaturation(Vector128.NarrowWithSaturation(Level(x + i), Level(x + i + 4)), Vector128.NarrowWithSaturation(Level(x + i + 8), Level(x + i + 12))).Store(target + i);

                Vector128<int> Level(float* four) => Vector128.ConvertToInt32(Vector128.Round(Vector128.Load(four) * factor)); // NaN becomes 0 on every platform
            }
        }
    }

    /// <summary>Multiplies rows by a vector; one thread.</summary>
    /// <param name="format">The words.</param>
    /// <param name="codes">Rows, <see cref="CodewordProducts.SlackBytes"/> behind the last one.</param>
    /// <param name="rowBytes">Bytes from a row to the next.</param>
    /// <param name="x">Codes of activations; a multiple of <see cref="StepColumns"/>.</param>
    /// <param name="scales">Of the spans.</param>
    /// <param name="destination">A number for each row: the sums, not yet scaled by the row's factor.</param>
    public static void Multiply(CodewordFormat format, ReadOnlySpan<byte> codes, int rowBytes, ReadOnlySpan<sbyte> x, ReadOnlySpan<float> scales, Span<float> destination)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512 or SimdWidth.Bits256: Multiply<Words256>(format, codes, rowBytes, x, scales, destination); break;
            case SimdWidth.Bits128: Multiply<Words128>(format, codes, rowBytes, x, scales, destination); break;
            default: Scalar(format, codes, rowBytes, x, scales, destination); break;
        }
    }

    /// <summary>Whether rows are multiplied here.</summary>
    public static bool Takes(CodewordFormat format) => format.Second is null;

    /// <summary>Decodes a part of a row to integers.</summary>
    /// <param name="format">The words.</param>
    /// <param name="codes">From the part's first word on, and <see cref="CodewordProducts.SlackBytes"/> behind it.</param>
    /// <param name="destination">A multiple of <see cref="StepColumns"/>; any numbers behind the end of the row.</param>
    public static void Decode(CodewordFormat format, ReadOnlySpan<byte> codes, Span<short> destination)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512 or SimdWidth.Bits256: Decode<Words256>(format, codes, destination); break;
            case SimdWidth.Bits128: Decode<Words128>(format, codes, destination); break;
            default: ScalarDecode(format, codes, destination); break;
        }
    }

    internal static void Multiply<TLanes>(CodewordFormat format, ReadOnlySpan<byte> codes, int rowBytes, ReadOnlySpan<sbyte> x, ReadOnlySpan<float> scales, Span<float> destination)
        where TLanes : struct, IWordLanes<TLanes>
    {
        ThrowIfShort(format, codes, (destination.Length - 1) * (long)rowBytes, x.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(scales.Length, Spans(x.Length), nameof(scales));
        fixed (byte* source = codes, magnitudes = format.First.Magnitudes)
        fixed (sbyte* input = x)
        fixed (float* factors = scales, results = destination)
            Choose<TLanes>(format).Multiply(source, rowBytes, destination.Length, new Operands(magnitudes, input, x.Length, factors, results));
    }

    internal static void Decode<TLanes>(CodewordFormat format, ReadOnlySpan<byte> codes, Span<short> destination)
        where TLanes : struct, IWordLanes<TLanes>
    {
        ThrowIfShort(format, codes, 0, destination.Length);
        fixed (byte* source = codes, magnitudes = format.First.Magnitudes)
        fixed (short* target = destination)
            Choose<TLanes>(format).Decode(source, destination.Length / StepColumns, magnitudes, target);
    }

    /// <summary>Number by number; what the vectors are compared with.</summary>
    internal static void Scalar(CodewordFormat format, ReadOnlySpan<byte> codes, int rowBytes, ReadOnlySpan<sbyte> x, ReadOnlySpan<float> scales, Span<float> destination)
    {
        ThrowIfShort(format, codes, (destination.Length - 1) * (long)rowBytes, x.Length);
        for (int row = 0; row < destination.Length; row++)
        {
            float result = 0;
            for (int start = 0; start < x.Length; start += SpanColumns)
            {
                int sum = 0;
                for (int column = start; column < Math.Min(x.Length, start + SpanColumns); column++) sum += Number(format.First, codes[(row * rowBytes)..], column) * x[column];
                float scaled = sum * scales[start / SpanColumns];
                result += scaled;
            }

            destination[row] = result;
        }
    }

    /// <summary>The same for <see cref="Decode"/>.</summary>
    internal static void ScalarDecode(CodewordFormat format, ReadOnlySpan<byte> codes, Span<short> destination)
    {
        ThrowIfShort(format, codes, 0, destination.Length);
        for (int column = 0; column < destination.Length; column++) destination[column] = (short)Number(format.First, codes, column);
    }

    private static int Number(Codewords codewords, ReadOnlySpan<byte> codes, int column)
    {
        int bit = column / Dimension * codewords.Bits, k = column % Dimension;
        uint word = 0;
        for (int i = (bit + codewords.Bits - 1) / 8; i >= bit / 8; i--) word = word << 8 | codes[i];
        word >>= bit % 8;
        int order = codewords.IsOrdered && (word >> (Codewords.SignBits + k / 2) & 1) == 0 ? 1 : 0, shift = codewords.Bits - codewords.IndexBits;
        int magnitude = codewords.Magnitudes[(int)(word >> shift & ((1u << codewords.IndexBits) - 1)) * Dimension + (k ^ order)];
        return (word >> k & 1) == 1 ? -magnitude : magnitude;
    }

    private static (Body Multiply, Decoder Decode) Choose<TLanes>(CodewordFormat format)
        where TLanes : struct, IWordLanes<TLanes> => (format.First.Bits, format.Second?.Bits) switch
        {
            (12, null) => Bodies<TLanes, SignedWord4>.Both,
            (16, null) => Bodies<TLanes, SignedWord8>.Both,
            (20, null) => Bodies<TLanes, SignedWord12>.Both,
            (24, null) => Bodies<TLanes, OrderedWord12>.Both,
            _ => throw new NotSupportedException($"Words of {format.First.Bits} and {format.Second?.Bits ?? 0} bits have no kernel."),
        };

    /// <summary>Bytes from the beginning of a step that are read at most: sixteen for signs or orders, or the step.</summary>
    internal static int StepReads(CodewordFormat format) => Math.Max(format.Bits / 2, 16 + (format.First.IsOrdered ? 1 : 0));

    private static void ThrowIfShort(CodewordFormat format, ReadOnlySpan<byte> codes, long lastRow, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(columns % StepColumns, 0, nameof(columns));
        long needed = lastRow + (columns / StepColumns - 1L) * (format.Bits / 2) + StepReads(format);
        if (columns > 0 && codes.Length < needed) throw new ArgumentException($"Codes of {codes.Length} bytes; {needed} are read.", nameof(codes));
    }

    /// <summary>What rows are multiplied with.</summary>
    private readonly struct Operands(byte* magnitudes, sbyte* x, int columns, float* scales, float* y)
    {
        public readonly byte* Magnitudes = magnitudes;
        public readonly sbyte* X = x;
        public readonly int Columns = columns;
        public readonly float* Scales = scales, Y = y;
    }

    private static class Bodies<TLanes, TWord>
        where TLanes : struct, IWordLanes<TLanes>
        where TWord : struct, ICodeword
    {
        public static readonly (Body Multiply, Decoder Decode) Both = (Multiply, WordSteps<TLanes, TWord>.Decode);

        private static void Multiply(byte* codes, nint rowBytes, int rows, Operands operands)
        {
            for (int row = 0; row < rows; row += Rows)
            {
                int left = Math.Min(Rows, rows - row) - 1; // rows that are missing are the last once more
                byte* c0 = codes + row * rowBytes, c1 = c0 + Math.Min(1, left) * rowBytes, c2 = c0 + Math.Min(2, left) * rowBytes, c3 = c0 + left * rowBytes;
                Vector128<float> y = Vector128<float>.Zero;
                for (int start = 0; start < operands.Columns; start += SpanColumns)
                {
                    int steps = Math.Min(SpanColumns, operands.Columns - start) / StepColumns;
                    nint at = start / Dimension * OneWord<TWord>.Bits / 8;
                    y += Vector128.ConvertToSingle(WordSteps<TLanes, TWord>.Sums(c0 + at, c1 + at, c2 + at, c3 + at, steps, operands.Magnitudes, operands.X + start)) * Vector128.Create(operands.Scales[start / SpanColumns]);
                }

                if (left == Rows - 1) y.Store(operands.Y + row);
                else for (int i = 0; i <= left; i++) operands.Y[row + i] = y[i];
            }
        }
    }
}

/// <summary>Thirty-two columns at a time: four words.</summary>
internal static unsafe class WordSteps<TLanes, TWord>
    where TLanes : struct, IWordLanes<TLanes>
    where TWord : struct, ICodeword
{
    private const int Columns = CodewordByteProducts.StepColumns;

    /// <summary>For each column where the byte of its sign is, among words that begin at a byte and among the others, and which bit of it, and of the byte of orders, is the column's.</summary>
    private static readonly byte* Patterns = MakePatterns();

    private static bool IsWhole
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => OneWord<TWord>.Bits % 8 == 0;
    }

    /// <summary>The sums of products of four rows.</summary>
    public static Vector128<int> Sums(byte* c0, byte* c1, byte* c2, byte* c3, int steps, byte* magnitudes, sbyte* x)
    {
        TLanes places = TLanes.Load(Patterns), between = TLanes.Load(Patterns + Columns), signs = TLanes.Load(Patterns + 2 * Columns), orders = TLanes.Load(Patterns + 3 * Columns);
        TLanes s0 = TLanes.Zero, s1 = s0, s2 = s0, s3 = s0;
        for (nint at = 0, end = steps * (nint)OneWord<TWord>.Bits / 2; at < end; at += OneWord<TWord>.Bits / 2, x += Columns)
        {
            TLanes v = TLanes.Load(x);
            s0 = TLanes.AddProducts(s0, Magnitudes(c0 + at, magnitudes, places, orders), TLanes.Negate(v, Negative(c0 + at, places, between, signs)));
            s1 = TLanes.AddProducts(s1, Magnitudes(c1 + at, magnitudes, places, orders), TLanes.Negate(v, Negative(c1 + at, places, between, signs)));
            s2 = TLanes.AddProducts(s2, Magnitudes(c2 + at, magnitudes, places, orders), TLanes.Negate(v, Negative(c2 + at, places, between, signs)));
            s3 = TLanes.AddProducts(s3, Magnitudes(c3 + at, magnitudes, places, orders), TLanes.Negate(v, Negative(c3 + at, places, between, signs)));
        }

        return TLanes.Total(s0, s1, s2, s3);
    }

    /// <summary>The numbers of a part of a row. Compiled for speed at once: a short prompt is over before the runtime would do it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Decode(byte* step, int steps, byte* magnitudes, short* destination)
    {
        TLanes places = TLanes.Load(Patterns), between = TLanes.Load(Patterns + Columns), signs = TLanes.Load(Patterns + 2 * Columns), orders = TLanes.Load(Patterns + 3 * Columns);
        for (; steps > 0; steps--, step += OneWord<TWord>.Bits / 2, destination += Columns)
            TLanes.StoreSigned(Magnitudes(step, magnitudes, places, orders), Negative(step, places, between, signs), destination);
    }

    private static byte* MakePatterns()
    {
        byte* patterns = (byte*)NativeMemory.AlignedAlloc(4 * Columns, 64); // for the life of the process
        for (int k = 0; k < Columns; k++)
        {
            int bit = k / 8 * OneWord<TWord>.Bits;
            patterns[k] = bit % 8 == 0 ? (byte)(bit / 8) : (byte)128;
            patterns[Columns + k] = bit % 8 == 0 ? (byte)128 : (byte)(bit / 8 - (OneWord<TWord>.Bits - 4) / 8);
            patterns[2 * Columns + k] = (byte)(1 << (k % 8));
            patterns[3 * Columns + k] = (byte)(1 << (k % 8 / 2));
        }

        return patterns;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Negative(byte* step, TLanes places, TLanes between, TLanes signs)
    {
        TLanes bytes = TLanes.Spread(step, places);
        if (!IsWhole) bytes = TLanes.Or(bytes, TLanes.SpreadShifted(step + (OneWord<TWord>.Bits - 4) / 8, between));
        return TLanes.Has(bytes, signs);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Magnitudes(byte* step, byte* magnitudes, TLanes places, TLanes orders)
    {
        TLanes found = TLanes.Gather(Entry(step, 0, magnitudes), Entry(step, 1, magnitudes), Entry(step, 2, magnitudes), Entry(step, 3, magnitudes));
        return TWord.IsOrdered ? TLanes.Exchange(found, TLanes.Has(TLanes.Spread(step + 1, places), orders)) : found;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* Entry(byte* step, int word, byte* magnitudes)
    {
        int bit = word * OneWord<TWord>.Bits + Codewords.SignBits + (TWord.IsOrdered ? Codewords.OrderBits : 0), shift = bit % 8;
        uint bits = TWord.IndexBits + shift > 8 ? Unsafe.ReadUnaligned<ushort>(step + bit / 8) : step[bit / 8];
        return magnitudes + (nuint)(bits >> shift & ((1u << TWord.IndexBits) - 1)) * Codewords.Dimension; // as an address, which the CPU multiplies by eight itself
    }
}
