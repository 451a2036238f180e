using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>The innermost loops of <see cref="SignProducts"/>: one chunk of columns for row blocks of one token, which share the tables, or for tokens of one row block, which share the signs. Eight sums live in registers: a call behind the loop would make the compiler keep them in memory, so there is none.
/// While blocks of one token pass, the ones after them are fetched.</summary>
internal static unsafe class SignTiles
{
    public const int BlocksOfOneDigit = 4, BlocksOfTwoDigits = 2, TokensOfOneDigit = 4, TokensOfTwoDigits = 2;

    private const int Lanes = SignBlocks.BlockRows;

    /// <summary>Entries of one byte, up to four row blocks.</summary>
    /// <param name="signs">The first block's chunk.</param>
    /// <param name="blockBytes">Bytes from one block to the next.</param>
    /// <param name="blocks">Blocks; those that are missing are the last once more.</param>
    /// <param name="tables">The chunk's tables.</param>
    /// <param name="vectors">Vectors of signs in a chunk.</param>
    /// <param name="scale">The chunk's scale.</param>
    /// <param name="results">Sixteen floats for each of four blocks, added to.</param>
    public static void OneDigit<TSimd, TLookup>(byte* signs, nint blockBytes, int blocks, byte* tables, int vectors, float scale, float* results)
        where TSimd : struct, ISimd<TSimd>
        where TLookup : struct, ITableLookup<TLookup, TSimd>
    {
        byte* signs1 = signs + Math.Min(1, blocks - 1) * blockBytes, signs2 = signs + Math.Min(2, blocks - 1) * blockBytes, signs3 = signs + Math.Min(3, blocks - 1) * blockBytes;
        TLookup w0 = TLookup.Zero, w1 = w0, w2 = w0, w3 = w0, u0 = w0, u1 = w0, u2 = w0, u3 = w0;
        nint end = (nint)vectors * TLookup.Bytes, ahead = BlocksOfOneDigit * blockBytes;
        for (nint i = 0; i < end; i += TLookup.Bytes, tables += 2 * TLookup.Bytes)
        {
            CacheLine.Fetch(signs + ahead + i);
            CacheLine.Fetch(signs1 + ahead + i);
            CacheLine.Fetch(signs2 + ahead + i);
            CacheLine.Fetch(signs3 + ahead + i);
            TLookup low = TLookup.Load(tables), high = TLookup.Load(tables + TLookup.Bytes), codes = TLookup.Load(signs + i);
            TLookup.Add(ref w0, ref u0, TLookup.Find(low, TLookup.LowNibbles(codes)));
            TLookup.Add(ref w0, ref u0, TLookup.Find(high, TLookup.HighNibbles(codes)));
            codes = TLookup.Load(signs1 + i);
            TLookup.Add(ref w1, ref u1, TLookup.Find(low, TLookup.LowNibbles(codes)));
            TLookup.Add(ref w1, ref u1, TLookup.Find(high, TLookup.HighNibbles(codes)));
            codes = TLookup.Load(signs2 + i);
            TLookup.Add(ref w2, ref u2, TLookup.Find(low, TLookup.LowNibbles(codes)));
            TLookup.Add(ref w2, ref u2, TLookup.Find(high, TLookup.HighNibbles(codes)));
            codes = TLookup.Load(signs3 + i);
            TLookup.Add(ref w3, ref u3, TLookup.Find(low, TLookup.LowNibbles(codes)));
            TLookup.Add(ref w3, ref u3, TLookup.Find(high, TLookup.HighNibbles(codes)));
        }

        int less = 128 * Entries<TSimd, TLookup>(vectors);
        AddScaled(TLookup.RowSums(w0, u0, less), scale, results);
        AddScaled(TLookup.RowSums(w1, u1, less), scale, results + Lanes);
        AddScaled(TLookup.RowSums(w2, u2, less), scale, results + 2 * Lanes);
        AddScaled(TLookup.RowSums(w3, u3, less), scale, results + 3 * Lanes);
    }

    /// <summary><see cref="OneDigit"/> for entries of two bytes, up to two row blocks.</summary>
    public static void TwoDigits<TSimd, TLookup>(byte* signs, nint blockBytes, int blocks, byte* tables, int vectors, float scale, float* results)
        where TSimd : struct, ISimd<TSimd>
        where TLookup : struct, ITableLookup<TLookup, TSimd>
    {
        byte* signs1 = signs + (blocks - 1) * blockBytes;
        TLookup w0 = TLookup.Zero, w1 = w0, w2 = w0, w3 = w0, u0 = w0, u1 = w0, u2 = w0, u3 = w0;
        nint end = (nint)vectors * TLookup.Bytes, ahead = BlocksOfTwoDigits * blockBytes;
        for (nint i = 0; i < end; i += TLookup.Bytes, tables += 4 * TLookup.Bytes)
        {
            CacheLine.Fetch(signs + ahead + i);
            CacheLine.Fetch(signs1 + ahead + i);
            TLookup codes0 = TLookup.Load(signs + i), codes1 = TLookup.Load(signs1 + i), half0 = TLookup.LowNibbles(codes0), half1 = TLookup.LowNibbles(codes1);
            TLookup table = TLookup.Load(tables);
            TLookup.Add(ref w0, ref u0, TLookup.Find(table, half0));
            TLookup.Add(ref w1, ref u1, TLookup.Find(table, half1));
            table = TLookup.Load(tables + TLookup.Bytes);
            TLookup.Add(ref w2, ref u2, TLookup.Find(table, half0));
            TLookup.Add(ref w3, ref u3, TLookup.Find(table, half1));
            half0 = TLookup.HighNibbles(codes0);
            half1 = TLookup.HighNibbles(codes1);
            table = TLookup.Load(tables + 2 * TLookup.Bytes);
            TLookup.Add(ref w0, ref u0, TLookup.Find(table, half0));
            TLookup.Add(ref w1, ref u1, TLookup.Find(table, half1));
            table = TLookup.Load(tables + 3 * TLookup.Bytes);
            TLookup.Add(ref w2, ref u2, TLookup.Find(table, half0));
            TLookup.Add(ref w3, ref u3, TLookup.Find(table, half1));
        }

        int less = 128 * Entries<TSimd, TLookup>(vectors);
        AddScaled(Joined<TSimd>(TLookup.RowSums(w0, u0, 0), TLookup.RowSums(w2, u2, less)), scale, results);
        AddScaled(Joined<TSimd>(TLookup.RowSums(w1, u1, 0), TLookup.RowSums(w3, u3, less)), scale, results + Lanes);
    }

    /// <summary>Entries of one byte, one row block, four tokens.</summary>
    /// <param name="signs">The block's chunk.</param>
    /// <param name="tables">The chunk's tables of the first token.</param>
    /// <param name="tokenBytes">Bytes from one token's tables to the next's.</param>
    /// <param name="vectors">Vectors of signs in a chunk.</param>
    /// <param name="scales">The chunk's scale of the first token.</param>
    /// <param name="scaleStride">From one token's scale to the next's.</param>
    /// <param name="results">Sixteen floats for each token, added to.</param>
    public static void OneDigitTokens<TSimd, TLookup>(byte* signs, byte* tables, nint tokenBytes, int vectors, float* scales, int scaleStride, float* results)
        where TSimd : struct, ISimd<TSimd>
        where TLookup : struct, ITableLookup<TLookup, TSimd>
    {
        byte* tables1 = tables + tokenBytes, tables2 = tables1 + tokenBytes, tables3 = tables2 + tokenBytes;
        TLookup w0 = TLookup.Zero, w1 = w0, w2 = w0, w3 = w0, u0 = w0, u1 = w0, u2 = w0, u3 = w0;
        nint end = (nint)vectors * 2 * TLookup.Bytes;
        for (nint i = 0; i < end; i += 2 * TLookup.Bytes, signs += TLookup.Bytes)
        {
            TLookup codes = TLookup.Load(signs), half = TLookup.LowNibbles(codes);
            TLookup.Add(ref w0, ref u0, TLookup.Find(TLookup.Load(tables + i), half));
            TLookup.Add(ref w1, ref u1, TLookup.Find(TLookup.Load(tables1 + i), half));
            TLookup.Add(ref w2, ref u2, TLookup.Find(TLookup.Load(tables2 + i), half));
            TLookup.Add(ref w3, ref u3, TLookup.Find(TLookup.Load(tables3 + i), half));
            half = TLookup.HighNibbles(codes);
            TLookup.Add(ref w0, ref u0, TLookup.Find(TLookup.Load(tables + i + TLookup.Bytes), half));
            TLookup.Add(ref w1, ref u1, TLookup.Find(TLookup.Load(tables1 + i + TLookup.Bytes), half));
            TLookup.Add(ref w2, ref u2, TLookup.Find(TLookup.Load(tables2 + i + TLookup.Bytes), half));
            TLookup.Add(ref w3, ref u3, TLookup.Find(TLookup.Load(tables3 + i + TLookup.Bytes), half));
        }

        int less = 128 * Entries<TSimd, TLookup>(vectors);
        AddScaled(TLookup.RowSums(w0, u0, less), scales[0], results);
        AddScaled(TLookup.RowSums(w1, u1, less), scales[scaleStride], results + Lanes);
        AddScaled(TLookup.RowSums(w2, u2, less), scales[2 * scaleStride], results + 2 * Lanes);
        AddScaled(TLookup.RowSums(w3, u3, less), scales[3 * scaleStride], results + 3 * Lanes);
    }

    /// <summary><see cref="OneDigitTokens"/> for entries of two bytes, two tokens.</summary>
    public static void TwoDigitTokens<TSimd, TLookup>(byte* signs, byte* tables, nint tokenBytes, int vectors, float* scales, int scaleStride, float* results)
        where TSimd : struct, ISimd<TSimd>
        where TLookup : struct, ITableLookup<TLookup, TSimd>
    {
        byte* tables1 = tables + tokenBytes;
        TLookup w0 = TLookup.Zero, w1 = w0, w2 = w0, w3 = w0, u0 = w0, u1 = w0, u2 = w0, u3 = w0;
        nint end = (nint)vectors * 4 * TLookup.Bytes;
        for (nint i = 0; i < end; i += 4 * TLookup.Bytes, signs += TLookup.Bytes)
        {
            TLookup codes = TLookup.Load(signs), half = TLookup.LowNibbles(codes);
            TLookup.Add(ref w0, ref u0, TLookup.Find(TLookup.Load(tables + i), half));
            TLookup.Add(ref w1, ref u1, TLookup.Find(TLookup.Load(tables1 + i), half));
            TLookup.Add(ref w2, ref u2, TLookup.Find(TLookup.Load(tables + i + TLookup.Bytes), half));
            TLookup.Add(ref w3, ref u3, TLookup.Find(TLookup.Load(tables1 + i + TLookup.Bytes), half));
            half = TLookup.HighNibbles(codes);
            TLookup.Add(ref w0, ref u0, TLookup.Find(TLookup.Load(tables + i + 2 * TLookup.Bytes), half));
            TLookup.Add(ref w1, ref u1, TLookup.Find(TLookup.Load(tables1 + i + 2 * TLookup.Bytes), half));
            TLookup.Add(ref w2, ref u2, TLookup.Find(TLookup.Load(tables + i + 3 * TLookup.Bytes), half));
            TLookup.Add(ref w3, ref u3, TLookup.Find(TLookup.Load(tables1 + i + 3 * TLookup.Bytes), half));
        }

        int less = 128 * Entries<TSimd, TLookup>(vectors);
        AddScaled(Joined<TSimd>(TLookup.RowSums(w0, u0, 0), TLookup.RowSums(w2, u2, less)), scales[0], results);
        AddScaled(Joined<TSimd>(TLookup.RowSums(w1, u1, 0), TLookup.RowSums(w3, u3, less)), scales[scaleStride], results + Lanes);
    }

    /// <summary>Entries that a row meets: two for each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Entries<TSimd, TLookup>(int vectors)
        where TSimd : struct, ISimd<TSimd>
        where TLookup : struct, ITableLookup<TLookup, TSimd> => 2 * vectors * (TLookup.Bytes / SignBlocks.LaneBytes);

    // Lower and upper digits: 65280 and 256 x 32640 at most, exact.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSimd Joined<TSimd>(TSimd lower, TSimd upper)
        where TSimd : struct, ISimd<TSimd> => lower + upper * TSimd.Broadcast(256);

    // A product and a sum, each rounded: the same bits with and without fused multiply-add.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddScaled<TSimd>(TSimd sums, float scale, float* results)
        where TSimd : struct, ISimd<TSimd> => TSimd.Store(TSimd.Load(results) + sums * TSimd.Broadcast(scale), results);
}
