using System.Runtime.Intrinsics.X86;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Products of signs and activations by looking up sums of four (<see cref="SignTables"/>). Per row, token and chunk of 1024 columns the sum of integers is exact; the result is
/// y = y + sum x scale over the chunks in order, times the row's factor at the end: the same bits in any tile, batch and width.
/// </summary>
/// <remarks>
/// Bound for one token: the bytes of the signs over the memory bandwidth. Operations for a vector of packed signs (32 bytes at 256 bits, 256 weights): mask, shift, mask, and for each of
/// two look-ups and each digit a shuffle, two additions and a shift: 11 with one digit, 19 with two. Four vector operations in a cycle (Zen 3, of them two shuffles or shifts) are 2.8 and
/// 4.8 cycles, 37 and 21 GB/s for a core of 3.2 GHz that has 12 GB/s of memory to itself. VPERMB (<see cref="PermutedLookup512"/>) takes a shuffle, a multiplication by ones and an addition for each look-up and digit, 9 and 15 for
/// a vector of 512 bits. Multi-token tiles share the first three. By multiplication (<see cref="SignCodeProducts"/>) it would be 27, which pays for few rows alone.
/// </remarks>
internal static unsafe class SignProducts
{
    /// <summary>Row blocks that a range should be a multiple of.</summary>
    public const int GroupBlocks = 4;

    private const int Lanes = SignBlocks.BlockRows;

    /// <summary>Row blocks that stay in the second-level cache while tokens pass: 64 x 2 KiB of a chunk.</summary>
    private const int CachedBlocks = 64;

    /// <summary>The order of signs that products of this process read; scalars read any.</summary>
    public static SignLayout Layout => SimdLevel.Active == SimdWidth.Bits512 && Avx512Vbmi.IsSupported ? SignLayout.Words : SignLayout.Lanes;

    /// <summary>Bytes of the vectors that tables are to be built for.</summary>
    public static int VectorBytes => SimdLevel.Active switch { SimdWidth.Bits512 => 64, SimdWidth.Bits256 => 32, _ => 16 };

    /// <summary>Multiplies for a range of row blocks; one thread.</summary>
    /// <param name="weights">[rows, columns].</param>
    /// <param name="firstBlock">First block of sixteen rows.</param>
    /// <param name="blockCount">Blocks.</param>
    /// <param name="tables">[tokens, columns], built for <see cref="VectorBytes"/>.</param>
    /// <param name="rowScales">A factor for each row, or none.</param>
    /// <param name="destination">[tokens, rows]; the rows of the blocks are overwritten.</param>
    public static void Multiply(SignBlocks weights, int firstBlock, int blockCount, SignTables tables, ReadOnlySpan<float> rowScales, MatrixView<float> destination)
    {
        if (tables.Columns != weights.Columns || destination.Rows != tables.TokenCount || destination.Columns != weights.Rows || tables.VectorBytes != VectorBytes)
            throw new ArgumentException($"{weights.Rows} x {weights.Columns} signs and tables of {tables.TokenCount} x {tables.Columns} do not give {destination.Rows} x {destination.Columns}.", nameof(destination));
        if (weights.Layout != Layout && SimdLevel.Active != SimdWidth.Scalar) throw new ArgumentException($"The signs are in the order {weights.Layout}; {Layout} is read here.", nameof(weights));
        if (firstBlock < 0 || blockCount < 0 || firstBlock > weights.Blocks - blockCount)
            throw new ArgumentOutOfRangeException(nameof(firstBlock), firstBlock, $"{blockCount} blocks from there do not lie inside {weights.Blocks}.");
        if (!rowScales.IsEmpty && rowScales.Length != weights.Rows) throw new ArgumentException($"{weights.Rows} rows do not have {rowScales.Length} factors.", nameof(rowScales));
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512 when weights.Layout == SignLayout.Words: Core<Simd512, PermutedLookup512>(weights, firstBlock, blockCount, tables, rowScales, destination); break;
            case SimdWidth.Bits512: Core<Simd512, Lookup512>(weights, firstBlock, blockCount, tables, rowScales, destination); break;
            case SimdWidth.Bits256: Core<Simd256, Lookup256>(weights, firstBlock, blockCount, tables, rowScales, destination); break;
            case SimdWidth.Bits128: Core<Simd128, Lookup128>(weights, firstBlock, blockCount, tables, rowScales, destination); break;
            default: Scalar(weights, firstBlock, blockCount, tables, rowScales, destination); break;
        }
    }

    internal static void Core<TSimd, TLookup>(SignBlocks weights, int firstBlock, int blockCount, SignTables tables, ReadOnlySpan<float> rowScales, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TLookup : struct, ITableLookup<TLookup, TSimd>
    {
        int tile = tables.Digits == 1 ? SignTiles.TokensOfOneDigit : SignTiles.TokensOfTwoDigits, tiled = tables.TokenCount / tile * tile;
        fixed (float* factors = rowScales)
        {
            for (int block = firstBlock; tiled > 0 && block < firstBlock + blockCount; block += CachedBlocks)
                ManyTokens<TSimd, TLookup>(weights, block, Math.Min(CachedBlocks, firstBlock + blockCount - block), tables, tile, tiled, factors, destination);
            for (int token = tiled; token < tables.TokenCount; token++)
                OneToken<TSimd, TLookup>(weights, firstBlock, blockCount, tables, token, factors, destination.Pointer + token * destination.Stride);
        }

        GC.KeepAlive(weights);
        GC.KeepAlive(tables);
        destination.KeepAlive();
    }

    /// <summary>Plain integers; what the vectors are compared with.</summary>
    internal static void Scalar(SignBlocks weights, int firstBlock, int blockCount, SignTables tables, ReadOnlySpan<float> rowScales, MatrixView<float> destination)
    {
        if (tables.VectorBytes != SignBlocks.LaneBytes) throw new ArgumentException("The tables are built for wider vectors.", nameof(tables));
        int tableBytes = SignBlocks.LaneBytes * tables.Digits, lanes = weights.Steps * SignBlocks.StepBytes / SignBlocks.LaneBytes, offset = tables.Digits == 1 ? 128 : 32768;
        for (int row = firstBlock * Lanes; row < Math.Min(weights.Rows, (firstBlock + blockCount) * Lanes); row++)
        {
            byte* block = weights.Bytes.Pointer + row / Lanes * weights.Bytes.Columns;
            for (int token = 0; token < tables.TokenCount; token++)
            {
                float result = 0;
                for (int lane = 0; lane < lanes;)
                {
                    int sum = 0, chunk = lane * SignBlocks.LaneColumns / SignTables.ChunkColumns;
                    for (int end = Math.Min(lanes, lane + SignTables.ChunkColumns / SignBlocks.LaneColumns); lane < end; lane++)
                    {
                        byte* table = tables.Tables + token * tables.TokenBytes + (nint)lane * 2 * tableBytes;
                        int bits = block[SignBlocks.Place(weights.Layout, row, lane)];
                        sum += Entry(table, bits & 15) + Entry(table + tableBytes, bits >> 4) - 2 * offset;
                    }

                    result += sum * tables.Scales[(nint)token * tables.Chunks + chunk];
                }

                destination.Row(token)[row] = rowScales.IsEmpty ? result : result * rowScales[row];
            }
        }

        GC.KeepAlive(weights);
        GC.KeepAlive(tables);

        int Entry(byte* table, int number) => tables.Digits == 1 ? table[number] : table[number] + 256 * table[SignBlocks.LaneBytes + number];
    }

    private static void OneToken<TSimd, TLookup>(SignBlocks weights, int firstBlock, int blockCount, SignTables tables, int token, float* factors, float* y)
        where TSimd : struct, ISimd<TSimd>
        where TLookup : struct, ITableLookup<TLookup, TSimd>
    {
        float* results = stackalloc float[GroupBlocks * Lanes];
        nint blockBytes = weights.Bytes.Columns, chunkSigns = SignTables.ChunkColumns / SignBlocks.StepColumns * SignBlocks.StepBytes;
        float* scales = tables.Scales + (nint)token * tables.Chunks;
        int group = tables.Digits == 1 ? SignTiles.BlocksOfOneDigit : SignTiles.BlocksOfTwoDigits;
        for (int block = firstBlock; block < firstBlock + blockCount; block += group)
        {
            int count = Math.Min(group, firstBlock + blockCount - block);
            byte* signs = weights.Bytes.Pointer + block * blockBytes, entries = tables.Tables + token * tables.TokenBytes;
            new Span<float>(results, group * Lanes).Clear();
            for (int row = 0; factors != null && row < count * Lanes; row += CacheLine.Bytes / sizeof(float)) CacheLine.Fetch(factors + block * Lanes + row); // as cold as the signs, and wanted at their end
            for (int chunk = 0; chunk < tables.Chunks; chunk++, signs += chunkSigns, entries += tables.ChunkBytes)
            {
                int vectors = (int)(nint.Min(chunkSigns, blockBytes - chunk * chunkSigns) / TLookup.Bytes);
                if (tables.Digits == 1) SignTiles.OneDigit<TSimd, TLookup>(signs, blockBytes, count, entries, vectors, scales[chunk], results);
                else SignTiles.TwoDigits<TSimd, TLookup>(signs, blockBytes, count, entries, vectors, scales[chunk], results);
            }

            Store<TSimd>(results, Math.Min(count * Lanes, weights.Rows - block * Lanes), factors == null ? null : factors + block * Lanes, y + (nint)block * Lanes);
        }
    }

    /// <summary>A chunk at a time for all tokens: the results wait in the destination, or, where the last rows are not sixteen, beside it.</summary>
    private static void ManyTokens<TSimd, TLookup>(SignBlocks weights, int firstBlock, int blockCount, SignTables tables, int tile, int tokens, float* factors, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TLookup : struct, ITableLookup<TLookup, TSimd>
    {
        float* results = stackalloc float[SignTiles.TokensOfOneDigit * Lanes];
        nint blockBytes = weights.Bytes.Columns, chunkSigns = SignTables.ChunkColumns / SignBlocks.StepColumns * SignBlocks.StepBytes;
        for (int chunk = 0; chunk < tables.Chunks; chunk++)
        {
            bool isFirst = chunk == 0, isLast = chunk == tables.Chunks - 1;
            int vectors = (int)(nint.Min(chunkSigns, blockBytes - chunk * chunkSigns) / TLookup.Bytes);
            for (int token = 0; token < tokens; token += tile)
            {
                byte* entries = tables.Tables + token * tables.TokenBytes + chunk * tables.ChunkBytes;
                float* scales = tables.Scales + (nint)token * tables.Chunks + chunk;
                for (int block = firstBlock; block < firstBlock + blockCount; block++)
                {
                    int rows = Math.Min(Lanes, weights.Rows - block * Lanes);
                    byte* signs = weights.Bytes.Pointer + block * blockBytes + chunk * chunkSigns;
                    float* y = destination.Pointer + token * destination.Stride + (nint)block * Lanes;
                    for (int t = 0; t < tile; t++)
                    {
                        Span<float> before = new(results + t * Lanes, Lanes);
                        before.Clear();
                        if (!isFirst) new ReadOnlySpan<float>(y + t * destination.Stride, rows).CopyTo(before);
                    }

                    if (tables.Digits == 1) SignTiles.OneDigitTokens<TSimd, TLookup>(signs, entries, tables.TokenBytes, vectors, scales, tables.Chunks, results);
                    else SignTiles.TwoDigitTokens<TSimd, TLookup>(signs, entries, tables.TokenBytes, vectors, scales, tables.Chunks, results);
                    for (int t = 0; t < tile; t++)
                        Store<TSimd>(results + t * Lanes, rows, isLast && factors != null ? factors + block * Lanes : null, y + t * destination.Stride);
                }
            }
        }
    }

    private static void Store<TSimd>(float* results, int rows, float* factors, float* y)
        where TSimd : struct, ISimd<TSimd>
    {
        int row = 0;
        for (; row + Lanes <= rows; row += Lanes)
        {
            TSimd values = TSimd.Load(results + row);
            TSimd.Store(factors == null ? values : values * TSimd.Load(factors + row), y + row);
        }

        for (; row < rows; row++) y[row] = factors == null ? results[row] : results[row] * factors[row];
    }
}
