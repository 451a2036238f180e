using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// <see cref="DotProducts"/> for several tokens. Inputs are copied to a panel of a few tokens and 256 columns or more that stays in the first-level cache while rows of weights pass; the
/// sixteen sums of every result wait in memory between the blocks of columns. Sums are worked on one register's share of lanes after the other, so that 4 rows x 3 tokens fit
/// into sixteen registers. None of it changes the order of a result's additions. The loops are compiled for speed at once: a short prompt is over before the runtime would do it.
/// </summary>
internal static unsafe class DotPanels
{
    private const int Lanes = 16, TileRows = 4, TileTokens = 3, PanelFloats = 18 * 256, MaximumDepth = 1024, TokenBlock = 18, RowBlock = 32;

    [SkipLocalsInit]
    public static void Multiply<TSimd, TSlice, TElement>(WeightRows<TElement> weights, MatrixView<float> inputs, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TSlice : struct, ILaneSlice<TSlice>
        where TElement : unmanaged, IWeightElement<TElement>
    {
        float* panel = stackalloc float[PanelFloats], rows = stackalloc float[TileRows * MaximumDepth], sums = stackalloc float[RowBlock * TokenBlock * Lanes];
        nint k = inputs.Columns;
        for (nint row0 = 0; row0 < weights.Count; row0 += RowBlock)
        {
            int rowCount = (int)nint.Min(RowBlock, weights.Count - row0), tiles = (rowCount + TileRows - 1) / TileRows;
            for (nint token0 = 0; token0 < inputs.Rows; token0 += TokenBlock)
            {
                int tokens = (int)nint.Min(TokenBlock, inputs.Rows - token0);
                int depthMax = Math.Min(MaximumDepth, PanelFloats / tokens / Lanes * Lanes); // fewer tokens, longer runs through the memory of the weights
                new Span<float>(sums, tiles * TileRows * tokens * Lanes).Clear();
                for (nint k0 = 0; k0 < k; k0 += depthMax)
                {
                    int depth = (int)nint.Min(depthMax, k - k0), padded = (depth + Lanes - 1) / Lanes * Lanes;
                    for (int t = 0; t < tokens; t++)
                        Decode<TSimd, SingleElement>((SingleElement*)(inputs.Pointer + (token0 + t) * inputs.Stride + k0), depth, panel + t * padded);
                    for (int tile = 0; tile < tiles; tile++)
                    {
                        Weights w = Tile<TSimd, TElement>(weights, row0 + tile * TileRows, k0, depth, rows);
                        MultiplyTile<TSlice>(w, panel, padded, tokens, sums + tile * TileRows * tokens * Lanes);
                    }
                }

                for (int tile = 0; tile < tiles; tile++)
                {
                    Store<TSimd>(
                        sums + tile * TileRows * tokens * Lanes, tokens, (int)nint.Min(TileRows, weights.Count - row0 - tile * TileRows),
                        destination.Pointer + token0 * destination.Stride + row0 + tile * TileRows, destination.Stride);
                }
            }
        }
    }

    /// <summary>Four rows of floats: where they lie if they are floats, whole steps and all there, else in the buffer. A row that is missing is the last one again.</summary>
    private static Weights Tile<TSimd, TElement>(WeightRows<TElement> weights, nint row, nint k0, int depth, float* buffer)
        where TSimd : struct, ISimd<TSimd>
        where TElement : unmanaged, IWeightElement<TElement>
    {
        bool isDirect = typeof(TElement) == typeof(SingleElement) && depth % Lanes == 0;
        int padded = (depth + Lanes - 1) / Lanes * Lanes;
        Weights result = default;
        for (int r = 0; r < TileRows; r++)
        {
            TElement* source = weights.First + nint.Min(row + r, weights.Count - 1) * weights.Stride + k0;
            float* floats = (float*)source;
            if (!isDirect)
            {
                floats = buffer + r * padded;
                Decode<TSimd, TElement>(source, depth, floats);
            }

            if (r == 0) result.Row0 = floats;
            else if (r == 1) result.Row1 = floats;
            else if (r == 2) result.Row2 = floats;
            else result.Row3 = floats;
        }

        return result;
    }

    /// <summary>Floats of a row, zeros up to the next whole step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Decode<TSimd, TElement>(TElement* source, int count, float* destination)
        where TSimd : struct, ISimd<TSimd>
        where TElement : unmanaged, IWeightElement<TElement>
    {
        int i = 0;
        for (; i <= count - Lanes; i += Lanes) TSimd.Store(TElement.Load<TSimd>(source + i), destination + i);
        if (i < count) TSimd.Store(DotProducts.LoadTail<TSimd, TElement>(source + i, count - i), destination + i);
    }

    // Sums [token][row][lane].
    private static void MultiplyTile<TSlice>(in Weights w, float* panel, int depth, int tokens, float* sums)
        where TSlice : struct, ILaneSlice<TSlice>
    {
        for (int lane = 0; lane < Lanes; lane += TSlice.Lanes)
        {
            float* x = panel + lane, s = sums + lane;
            int left = tokens;
            while (left > 0)
            {
                // Four are two and two, so that no tile of one token, which waits for its own additions, is left over.
                int taken = left == 1 ? 1 : left is 2 or 4 ? 2 : TileTokens;
                if (taken == 3) ThreeTokens<TSlice>(w, lane, x, depth, s);
                else if (taken == 2) TwoTokens<TSlice>(w, lane, x, depth, s);
                else OneToken<TSlice>(w, lane, x, depth, s);
                left -= taken;
                x += taken * depth;
                s += taken * TileRows * Lanes;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ThreeTokens<TSlice>(in Weights w, int lane, float* x0, int depth, float* sums)
        where TSlice : struct, ILaneSlice<TSlice>
    {
        float* w0 = w.Row0 + lane, w1 = w.Row1 + lane, w2 = w.Row2 + lane, w3 = w.Row3 + lane, x1 = x0 + depth, x2 = x1 + depth;
        float* next = sums + TileRows * Lanes, last = next + TileRows * Lanes;
        TSlice s00 = TSlice.Load(sums), s01 = TSlice.Load(sums + Lanes), s02 = TSlice.Load(sums + 2 * Lanes), s03 = TSlice.Load(sums + 3 * Lanes);
        TSlice s10 = TSlice.Load(next), s11 = TSlice.Load(next + Lanes), s12 = TSlice.Load(next + 2 * Lanes), s13 = TSlice.Load(next + 3 * Lanes);
        TSlice s20 = TSlice.Load(last), s21 = TSlice.Load(last + Lanes), s22 = TSlice.Load(last + 2 * Lanes), s23 = TSlice.Load(last + 3 * Lanes);
        for (nint i = 0; i < depth; i += Lanes)
        {
            TSlice a = TSlice.Load(x0 + i), b = TSlice.Load(x1 + i), c = TSlice.Load(x2 + i);
            TSlice weight = TSlice.Load(w0 + i);
            TSlice.Accumulate(ref s00, weight, a);
            TSlice.Accumulate(ref s10, weight, b);
            TSlice.Accumulate(ref s20, weight, c);
            weight = TSlice.Load(w1 + i);
            TSlice.Accumulate(ref s01, weight, a);
            TSlice.Accumulate(ref s11, weight, b);
            TSlice.Accumulate(ref s21, weight, c);
            weight = TSlice.Load(w2 + i);
            TSlice.Accumulate(ref s02, weight, a);
            TSlice.Accumulate(ref s12, weight, b);
            TSlice.Accumulate(ref s22, weight, c);
            weight = TSlice.Load(w3 + i);
            TSlice.Accumulate(ref s03, weight, a);
            TSlice.Accumulate(ref s13, weight, b);
            TSlice.Accumulate(ref s23, weight, c);
        }

        Store(sums, s00, s01, s02, s03);
        Store(next, s10, s11, s12, s13);
        Store(last, s20, s21, s22, s23);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoTokens<TSlice>(in Weights w, int lane, float* x0, int depth, float* sums)
        where TSlice : struct, ILaneSlice<TSlice>
    {
        float* w0 = w.Row0 + lane, w1 = w.Row1 + lane, w2 = w.Row2 + lane, w3 = w.Row3 + lane, x1 = x0 + depth, next = sums + TileRows * Lanes;
        TSlice s00 = TSlice.Load(sums), s01 = TSlice.Load(sums + Lanes), s02 = TSlice.Load(sums + 2 * Lanes), s03 = TSlice.Load(sums + 3 * Lanes);
        TSlice s10 = TSlice.Load(next), s11 = TSlice.Load(next + Lanes), s12 = TSlice.Load(next + 2 * Lanes), s13 = TSlice.Load(next + 3 * Lanes);
        for (nint i = 0; i < depth; i += Lanes)
        {
            TSlice a = TSlice.Load(x0 + i), b = TSlice.Load(x1 + i), v0 = TSlice.Load(w0 + i), v1 = TSlice.Load(w1 + i), v2 = TSlice.Load(w2 + i), v3 = TSlice.Load(w3 + i);
            TSlice.Accumulate(ref s00, v0, a);
            TSlice.Accumulate(ref s10, v0, b);
            TSlice.Accumulate(ref s01, v1, a);
            TSlice.Accumulate(ref s11, v1, b);
            TSlice.Accumulate(ref s02, v2, a);
            TSlice.Accumulate(ref s12, v2, b);
            TSlice.Accumulate(ref s03, v3, a);
            TSlice.Accumulate(ref s13, v3, b);
        }

        Store(sums, s00, s01, s02, s03);
        Store(next, s10, s11, s12, s13);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneToken<TSlice>(in Weights w, int lane, float* x, int depth, float* sums)
        where TSlice : struct, ILaneSlice<TSlice>
    {
        float* w0 = w.Row0 + lane, w1 = w.Row1 + lane, w2 = w.Row2 + lane, w3 = w.Row3 + lane;
        TSlice s0 = TSlice.Load(sums), s1 = TSlice.Load(sums + Lanes), s2 = TSlice.Load(sums + 2 * Lanes), s3 = TSlice.Load(sums + 3 * Lanes);
        for (nint i = 0; i < depth; i += Lanes)
        {
            TSlice a = TSlice.Load(x + i);
            TSlice.Accumulate(ref s0, TSlice.Load(w0 + i), a);
            TSlice.Accumulate(ref s1, TSlice.Load(w1 + i), a);
            TSlice.Accumulate(ref s2, TSlice.Load(w2 + i), a);
            TSlice.Accumulate(ref s3, TSlice.Load(w3 + i), a);
        }

        Store(sums, s0, s1, s2, s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TSlice>(float* sums, TSlice s0, TSlice s1, TSlice s2, TSlice s3)
        where TSlice : struct, ILaneSlice<TSlice>
    {
        TSlice.Store(s0, sums);
        TSlice.Store(s1, sums + Lanes);
        TSlice.Store(s2, sums + 2 * Lanes);
        TSlice.Store(s3, sums + 3 * Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Store<TSimd>(float* sums, int tokens, int rows, float* y, nint stride)
        where TSimd : struct, ISimd<TSimd>
    {
        for (int t = 0; t < tokens; t++, sums += TileRows * Lanes, y += stride)
        {
            Vector128<float> results = Reduction.Sum4(TSimd.Load(sums), TSimd.Load(sums + Lanes), TSimd.Load(sums + 2 * Lanes), TSimd.Load(sums + 3 * Lanes));
            if (rows == TileRows) results.Store(y);
            else for (int r = 0; r < rows; r++) y[r] = results[r];
        }
    }

    /// <summary>Four rows of floats.</summary>
    private struct Weights
    {
        public float* Row0, Row1, Row2, Row3;
    }
}
