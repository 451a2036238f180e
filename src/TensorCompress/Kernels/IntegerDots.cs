using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Products of integers for several tokens: <c>destination[t, r] += (weights[r] . inputs[t]) x scales[t]</c>, weights of 16 bits, inputs of 8. Sums are exact in 32 bits and, the caller sees to it, below 2^24, so exact as floats too:
/// no tile, order or width changes a bit. Bound: at 512 bits 64 operations for a VPMADDWD and a VPADDD, two of each in two cycles where a CPU takes 512 bits in halves: twice what floats have there.
/// </summary>
/// <remarks>
/// Columns are the lanes, so that neither operand is turned or broadcast. A step loads 4 rows and widens 6 tokens for 24 products, whose sums are in 24 of 32 registers; where there are sixteen, 4 rows and 2 tokens for 8.
/// Widening costs less than loading inputs of 16 bits. Four rows of a span stay in the first-level cache while the tokens pass, which stay in the second.
/// </remarks>
internal static unsafe class IntegerDots
{
    /// <summary>Columns of a step.</summary>
    public const int StepColumns = 32;

    private const int TileRows = 4;

    /// <summary>Adds scaled products; one thread.</summary>
    /// <param name="weights">[rows, k]; k is a multiple of <see cref="StepColumns"/>.</param>
    /// <param name="inputs">[tokens, k].</param>
    /// <param name="scales">[tokens, 1].</param>
    /// <param name="destination">[tokens, rows].</param>
    public static void Add(IntegerRows<short> weights, IntegerRows<sbyte> inputs, MatrixView<float> scales, MatrixView<float> destination)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Shorts512, TileOfSix>(weights, inputs, scales, destination); break;
            case SimdWidth.Bits256: Core<Shorts256, TileOfTwo>(weights, inputs, scales, destination); break;
            case SimdWidth.Bits128: Core<Shorts128, TileOfTwo>(weights, inputs, scales, destination); break;
            default: Core<ShortsScalar, TileOfTwo>(weights, inputs, scales, destination); break;
        }
    }

    internal static void Core<TLanes, TTokens>(IntegerRows<short> weights, IntegerRows<sbyte> inputs, MatrixView<float> scales, MatrixView<float> destination)
        where TLanes : struct, IShortLanes<TLanes>
        where TTokens : struct, ITileSize
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(inputs.Columns % StepColumns, 0, nameof(inputs));
        if (weights.Columns != inputs.Columns || scales.Rows != inputs.Rows || destination.Rows != inputs.Rows || destination.Columns != weights.Rows)
            throw new ArgumentException($"{weights.Rows} rows and {inputs.Rows} tokens do not give [{destination.Rows}, {destination.Columns}].", nameof(destination));
        for (nint row = 0; row < weights.Rows; row += TileRows)
        {
            int rows = (int)nint.Min(TileRows, weights.Rows - row);
            for (nint token = 0, taken; token < inputs.Rows; token += taken)
            {
                taken = nint.Min(TTokens.Count, inputs.Rows - token);
                var tile = new Tile(weights, row, rows, inputs, token, scales, destination);
                switch (taken)
                {
                    case 1: Multiply<TLanes, TileOfOne>(tile); break;
                    case 2: Multiply<TLanes, TileOfTwo>(tile); break;
                    case 3: Multiply<TLanes, TileOfThree>(tile); break;
                    case 4: Multiply<TLanes, TileOfFour>(tile); break;
                    case 5: Multiply<TLanes, TileOfFive>(tile); break;
                    default: Multiply<TLanes, TileOfSix>(tile); break;
                }
            }
        }

        weights.KeepAlive();
        inputs.KeepAlive();
        scales.KeepAlive();
        destination.KeepAlive();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TLanes, TTokens>(in Tile tile)
        where TLanes : struct, IShortLanes<TLanes>
        where TTokens : struct, ITileSize
    {
        short* w0 = tile.Row0, w1 = tile.Row1, w2 = tile.Row2, w3 = tile.Row3;
        nint stride = tile.InputStride, columns = tile.Columns;
        sbyte* x0 = tile.Inputs, x1 = x0 + stride, x2 = x1 + stride, x3 = x2 + stride, x4 = x3 + stride, x5 = x4 + stride;
        TLanes s00 = TLanes.Zero, s01 = TLanes.Zero, s02 = TLanes.Zero, s03 = TLanes.Zero, s10 = TLanes.Zero, s11 = TLanes.Zero, s12 = TLanes.Zero, s13 = TLanes.Zero;
        TLanes s20 = TLanes.Zero, s21 = TLanes.Zero, s22 = TLanes.Zero, s23 = TLanes.Zero, s30 = TLanes.Zero, s31 = TLanes.Zero, s32 = TLanes.Zero, s33 = TLanes.Zero;
        TLanes s40 = TLanes.Zero, s41 = TLanes.Zero, s42 = TLanes.Zero, s43 = TLanes.Zero, s50 = TLanes.Zero, s51 = TLanes.Zero, s52 = TLanes.Zero, s53 = TLanes.Zero;
        for (nint i = 0; i < columns; i += TLanes.Count)
        {
            TLanes a = TLanes.Load(w0 + i), b = TLanes.Load(w1 + i), c = TLanes.Load(w2 + i), d = TLanes.Load(w3 + i), x = TLanes.Widen(x0 + i);
            TLanes.Accumulate(ref s00, x, a);
            TLanes.Accumulate(ref s01, x, b);
            TLanes.Accumulate(ref s02, x, c);
            TLanes.Accumulate(ref s03, x, d);
            if (TTokens.Count > 1)
            {
                x = TLanes.Widen(x1 + i);
                TLanes.Accumulate(ref s10, x, a);
                TLanes.Accumulate(ref s11, x, b);
                TLanes.Accumulate(ref s12, x, c);
                TLanes.Accumulate(ref s13, x, d);
            }

            if (TTokens.Count > 2)
            {
                x = TLanes.Widen(x2 + i);
                TLanes.Accumulate(ref s20, x, a);
                TLanes.Accumulate(ref s21, x, b);
                TLanes.Accumulate(ref s22, x, c);
                TLanes.Accumulate(ref s23, x, d);
            }

            if (TTokens.Count > 3)
            {
                x = TLanes.Widen(x3 + i);
                TLanes.Accumulate(ref s30, x, a);
                TLanes.Accumulate(ref s31, x, b);
                TLanes.Accumulate(ref s32, x, c);
                TLanes.Accumulate(ref s33, x, d);
            }

            if (TTokens.Count > 4)
            {
                x = TLanes.Widen(x4 + i);
                TLanes.Accumulate(ref s40, x, a);
                TLanes.Accumulate(ref s41, x, b);
                TLanes.Accumulate(ref s42, x, c);
                TLanes.Accumulate(ref s43, x, d);
            }

            if (TTokens.Count > 5)
            {
                x = TLanes.Widen(x5 + i);
                TLanes.Accumulate(ref s50, x, a);
                TLanes.Accumulate(ref s51, x, b);
                TLanes.Accumulate(ref s52, x, c);
                TLanes.Accumulate(ref s53, x, d);
            }
        }

        tile.Add(0, TLanes.Total(s00, s01, s02, s03));
        if (TTokens.Count > 1) tile.Add(1, TLanes.Total(s10, s11, s12, s13));
        if (TTokens.Count > 2) tile.Add(2, TLanes.Total(s20, s21, s22, s23));
        if (TTokens.Count > 3) tile.Add(3, TLanes.Total(s30, s31, s32, s33));
        if (TTokens.Count > 4) tile.Add(4, TLanes.Total(s40, s41, s42, s43));
        if (TTokens.Count > 5) tile.Add(5, TLanes.Total(s50, s51, s52, s53));
    }

    /// <summary>Four rows, those that are missing being the last one again, and some tokens.</summary>
    private readonly struct Tile(IntegerRows<short> weights, nint row, int rows, IntegerRows<sbyte> inputs, nint token, MatrixView<float> scales, MatrixView<float> destination)
    {
        public readonly short* Row0 = weights.Pointer + row * weights.Stride, Row1 = weights.Pointer + (row + Math.Min(1, rows - 1)) * weights.Stride;
        public readonly short* Row2 = weights.Pointer + (row + Math.Min(2, rows - 1)) * weights.Stride, Row3 = weights.Pointer + (row + rows - 1) * weights.Stride;
        public readonly sbyte* Inputs = inputs.Pointer + token * inputs.Stride;
        public readonly nint InputStride = inputs.Stride, Columns = inputs.Columns;
        private readonly float* _scales = scales.Pointer + token * scales.Stride, _results = destination.Pointer + token * destination.Stride + row;
        private readonly nint _scaleStride = scales.Stride, _resultStride = destination.Stride;

        /// <summary>Rounded twice, as for one token.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(int token, Vector128<int> sums)
        {
            float* results = _results + token * _resultStride;
            Vector128<float> products = Vector128.ConvertToSingle(sums) * Vector128.Create(_scales[token * _scaleStride]);
            if (rows == TileRows) (Vector128.Load(results) + products).Store(results);
            else for (int i = 0; i < rows; i++) results[i] += products[i];
        }
    }
}
