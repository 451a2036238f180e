using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Activations as products with <see cref="SignBlocks"/> read them: for every four columns the sixteen sums of their values with all signs. Columns form chunks of 1024 with a scale of their own.
/// A chunk's values are rounded to integers of which no four are larger than 32512 together; an entry is such a sum + 32768, 16 bits in a table of lower and one of upper bytes (two digits), or
/// its upper byte alone, rounded (one digit). Integers, so the same at every width.
/// </summary>
internal sealed unsafe class SignTables : IDisposable
{
    /// <summary>Columns that share a scale. With 128-bit vectors 1024 / 4 = 256 entries are added to a 16-bit sum, the most that are exact being 257.</summary>
    public const int ChunkColumns = 1024;

    private const float LargestSum = 32510; // and four halves that rounding adds, so that + 32768 + 128 stays below 2^16

    private const ushort TwoDigitsOffset = 32768, OneDigitOffset = 32768 + 128; // the half of an upper byte rounds

    private const float Smallest = 1e-30f; // below this the quotient might overflow

    private Matrix<byte>? _tables;
    private Matrix<float>? _scales;
    private int _begun, _ended;

    /// <summary>Bytes held.</summary>
    public long ByteLength => (_tables?.ByteLength ?? 0) + (_scales?.ByteLength ?? 0);

    /// <summary>Tokens.</summary>
    public int TokenCount { get; private set; }

    /// <summary>Columns.</summary>
    public int Columns { get; private set; }

    /// <summary>1 or 2 bytes of an entry.</summary>
    public int Digits { get; private set; }

    /// <summary>Bytes of the vectors that will read the tables; their order depends on it.</summary>
    public int VectorBytes { get; private set; }

    public int Chunks => (Columns - 1) / ChunkColumns + 1;

    /// <summary>Bytes of a token's tables: a chunk follows the other.</summary>
    public nint TokenBytes => (nint)((Columns - 1) / SignBlocks.StepColumns + 1) * SignBlocks.StepColumns * 4 * Digits;

    /// <summary>Bytes of the tables of a whole chunk.</summary>
    public nint ChunkBytes => (nint)ChunkColumns * 4 * Digits;

    /// <summary>The first token's tables.</summary>
    public byte* Tables => _tables!.Pointer;

    /// <summary>The first token's scales, one for each chunk; the next token's follow.</summary>
    public float* Scales => _scales!.Pointer;

    /// <summary>Makes room; what was built is lost.</summary>
    /// <param name="tokens">Tokens.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="digits">1 or 2.</param>
    /// <param name="vectorBytes">16, 32 or 64.</param>
    public void Reserve(int tokens, int columns, int digits, int vectorBytes)
    {
        (TokenCount, Columns, Digits, VectorBytes) = (tokens, columns, digits, vectorBytes);
        (_begun, _ended) = (0, 0);
        Grow(ref _tables, tokens * TokenBytes);
        Grow(ref _scales, (nint)tokens * Chunks);

        static void Grow<T>(ref Matrix<T>? matrix, nint count)
            where T : unmanaged
        {
            if (matrix is not null && matrix.Columns >= count) return;
            matrix?.Dispose();
            matrix = Matrix<T>.Uninitialized(1, count);
        }
    }

    /// <summary>Builds the first token's tables together with all threads that call this; each returns when they are complete. One barrier less than a loop of its own.</summary>
    /// <param name="values">All activations of the token.</param>
    /// <param name="columnScales">A factor for each, or none.</param>
    public void BuildTogether(ReadOnlySpan<float> values, ReadOnlySpan<float> columnScales)
    {
        if (Volatile.Read(ref _ended) == Chunks) return;
        while (true)
        {
            int chunk = Interlocked.Increment(ref _begun) - 1;
            if (chunk >= Chunks) break;
            try
            {
                Build(0, chunk, values, columnScales);
            }
            finally
            {
                Interlocked.Increment(ref _ended); // whatever happened: nobody may wait for ever
            }
        }

        SpinWait wait = default;
        while (Volatile.Read(ref _ended) < Chunks) wait.SpinOnce(sleep1Threshold: -1);
    }

    /// <summary>Builds the tables of one chunk of one token; other chunks may be built at the same time.</summary>
    /// <param name="token">Token.</param>
    /// <param name="chunk">Chunk.</param>
    /// <param name="values">All activations of the token; if one of the chunk is not finite, the scale is NaN.</param>
    /// <param name="columnScales">A factor for each, or none.</param>
    [SkipLocalsInit]
    public void Build(int token, int chunk, ReadOnlySpan<float> values, ReadOnlySpan<float> columnScales)
    {
        if (values.Length != Columns || (columnScales.Length != Columns && !columnScales.IsEmpty))
            throw new ArgumentException($"{Columns} columns do not have {values.Length} values and {columnScales.Length} scales.", nameof(values));
        float* scaled = stackalloc float[ChunkColumns];
        int start = chunk * ChunkColumns, count = Math.Min(ChunkColumns, Columns - start), padded = (count + SignBlocks.StepColumns - 1) / SignBlocks.StepColumns * SignBlocks.StepColumns;
        Scale(values.Slice(start, count), columnScales.IsEmpty ? [] : columnScales.Slice(start, count), new Span<float>(scaled, padded));
        float largest = LargestSumOfFour(scaled, padded);
        bool isZero = largest < Smallest;
        _scales![0, (nint)token * Chunks + chunk] = isZero ? 0 : largest / LargestSum * (Digits == 1 ? 256 : 1);
        short* rounded = stackalloc short[ChunkColumns];
        Round(scaled, padded, isZero ? 0 : LargestSum / largest, rounded);
        byte* tables = Tables + token * TokenBytes + chunk * ChunkBytes;
        if (VectorBytes == SignBlocks.LaneBytes) BuildLanes(rounded, padded, tables);
        else BuildPairs(rounded, padded, tables);
    }

    public void Dispose()
    {
        _tables?.Dispose();
        _scales?.Dispose();
        _tables = null;
        _scales = null;
    }

    /// <summary>Multiplies by the factors, if there are any, and pads with zeros.</summary>
    public static void Scale(ReadOnlySpan<float> values, ReadOnlySpan<float> factors, Span<float> scaled)
    {
        if (factors.IsEmpty) values.CopyTo(scaled);
        else TensorPrimitives.Multiply(values, factors, scaled);
        scaled[values.Length..].Clear();
    }

    /// <summary>The largest sum of four neighbours' magnitudes; NaN where one is not finite.</summary>
    private static float LargestSumOfFour(float* values, int count)
    {
        Vector128<int> largest = Vector128<int>.Zero; // magnitudes are ordered as their bits are, what is not finite last
        for (int i = 0; i < count; i += 4)
        {
            Vector128<float> sums = Vector128.Abs(Vector128.Load(values + i));
            sums += Vector128.Shuffle(sums, Vector128.Create(1, 0, 3, 2));
            sums += Vector128.Shuffle(sums, Vector128.Create(2, 3, 0, 1));
            largest = Vector128.Max(largest, sums.AsInt32());
        }

        float sum = largest.AsSingle()[0];
        return float.IsFinite(sum) ? sum : float.NaN;
    }

    private static void Round(float* scaled, int count, float inverse, short* rounded)
    {
        Vector128<float> factor = Vector128.Create(inverse);
        for (int i = 0; i < count; i += 8)
        {
            Vector128<int> low = Vector128.ConvertToInt32Native(Vector128.Round(Vector128.Load(scaled + i) * factor));
            Vector128<int> high = Vector128.ConvertToInt32Native(Vector128.Round(Vector128.Load(scaled + i + 4) * factor));
            Vector128.NarrowWithSaturation(low, high).Store(rounded + i);
        }
    }

    /// <summary>Two lanes at a time, whose tables of one half and digit are neighbours.</summary>
    private void BuildPairs(short* rounded, int columns, byte* tables)
    {
        int vectorBytes = VectorBytes, halfBytes = Digits * vectorBytes;
        for (int lane = 0, column = 0; column < columns; column += 16)
        {
            Vector256<byte> values = Vector256.Load(rounded + column).AsByte();
            for (int half = 0; half < 2; half++)
            {
                Sums(values, half, Digits == 1 ? OneDigitOffset : TwoDigitsOffset, out Vector256<ushort> first, out Vector256<ushort> second);
                byte* table = tables + half * halfBytes + lane;
                Vector256<byte> upper = NarrowLanes(first >>> 8, second >>> 8);
                if (Digits == 2)
                {
                    NarrowLanes(first & Vector256.Create((ushort)255), second & Vector256.Create((ushort)255)).Store(table);
                    table += vectorBytes;
                }

                upper.Store(table);
            }

            lane += 32;
            if (lane < vectorBytes) continue;
            lane = 0;
            tables += 2 * halfBytes;
        }
    }

    /// <summary>A lane at a time, for vectors of one.</summary>
    private void BuildLanes(short* rounded, int columns, byte* tables)
    {
        for (int column = 0; column < columns; column += 4)
        {
            Sums(rounded + column, Digits == 1 ? OneDigitOffset : TwoDigitsOffset, out Vector128<ushort> first, out Vector128<ushort> second);
            if (Digits == 2)
            {
                Vector128.Narrow(first, second).Store(tables);
                tables += SignBlocks.LaneBytes;
            }

            Vector128.Narrow(first >>> 8, second >>> 8).Store(tables);
            tables += SignBlocks.LaneBytes;
        }
    }

    /// <summary>The sums of four values with all signs: bit i of an entry's number says whether value i is added. Entries 0 to 7 and 8 to 15.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sums(short* values, ushort offset, out Vector128<ushort> first, out Vector128<ushort> second)
    {
        Vector128<short> sums = Vector128.Create(values[0]) * Vector128.Create(-1, 1, -1, 1, -1, 1, -1, 1)
            + Vector128.Create(values[1]) * Vector128.Create(-1, -1, 1, 1, -1, -1, 1, 1)
            + (Vector128.Create(values[2]) * Vector128.Create(-1, -1, -1, -1, 1, 1, 1, 1) + Vector128.Create(offset).AsInt16());
        Vector128<short> last = Vector128.Create(values[3]);
        first = (sums - last).AsUInt16();
        second = (sums + last).AsUInt16();
    }

    /// <summary>The same for one half of two lanes of eight values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sums(Vector256<byte> values, int half, ushort offset, out Vector256<ushort> first, out Vector256<ushort> second)
    {
        ushort place = (ushort)(0x0100 + half * 0x0808); // the bytes of the half's first value; those of the next are two further
        Vector256<short> sums = Value(values, place) * Vector256.Create(-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1)
            + Value(values, place + 0x0202) * Vector256.Create(-1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1)
            + (Value(values, place + 0x0404) * Vector256.Create(-1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1) + Vector256.Create(offset).AsInt16());
        Vector256<short> last = Value(values, place + 0x0606);
        first = (sums - last).AsUInt16();
        second = (sums + last).AsUInt16();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Value(Vector256<byte> values, int place) => Lookup256.Find(values, Vector256.Create((ushort)place).AsByte()).AsInt16();

    /// <summary>Words below 256 as bytes, each lane for itself.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> NarrowLanes(Vector256<ushort> first, Vector256<ushort> second) => Avx2.IsSupported
        ? Avx2.PackUnsignedSaturate(first.AsInt16(), second.AsInt16())
        : Vector256.Create(Vector128.Narrow(first.GetLower(), second.GetLower()), Vector128.Narrow(first.GetUpper(), second.GetUpper()));
}
