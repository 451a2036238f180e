using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// <see cref="DotProducts"/> for short rows and many vectors, which are the lanes: <c>destination[r, t] = weights[r] . x[.., t]</c>. A result is the same sixteen running sums and the same tree, to the same bits,
/// but sixteen vectors are added at once: of rows of 16 to 256 numbers the tree across lanes would be most of the work.
/// </summary>
/// <remarks>
/// Bound: a multiply-add for each number and sixteen vectors, fifteen additions for each result of sixteen. Four rows and two registers of vectors, where there are 32 registers, are a tile: six loads for eight multiply-adds.
/// The running sums of a tile have their turn one after the other, in the order in which the tree wants them.
/// </remarks>
internal static unsafe class LaneDots
{
    /// <summary>Numbers of a step, and vectors of a register.</summary>
    public const int Lanes = 16;

    private const int TileRows = 4;

    /// <summary>Multiplies; one thread.</summary>
    /// <param name="weights">[rows, k], k a multiple of sixteen.</param>
    /// <param name="x">[k, vectors], a multiple of sixteen.</param>
    /// <param name="destination">[rows, vectors], overwritten; must not overlap the operands.</param>
    public static void Multiply(MatrixView<float> weights, MatrixView<float> x, MatrixView<float> destination)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Simd512, TileOfTwo>(weights, x, destination); break;
            case SimdWidth.Bits256: Core<Simd256, TileOfOne>(weights, x, destination); break;
            case SimdWidth.Bits128: Core<Simd128, TileOfOne>(weights, x, destination); break;
            default: Core<SimdScalar, TileOfOne>(weights, x, destination); break;
        }
    }

    internal static void Core<TSimd, TRegisters>(MatrixView<float> weights, MatrixView<float> x, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TRegisters : struct, ITileSize
    {
        if (weights.Columns != x.Rows || destination.Rows != weights.Rows || destination.Columns != x.Columns || x.Rows % Lanes != 0 || x.Columns % Lanes != 0)
            throw new ArgumentException($"[{weights.Rows}, {weights.Columns}] weights and [{x.Rows}, {x.Columns}] inputs do not give [{destination.Rows}, {destination.Columns}].", nameof(destination));
        for (nint row = 0; row < weights.Rows; row += TileRows)
        {
            int rows = (int)nint.Min(TileRows, weights.Rows - row);
            float* w = weights.Pointer + row * weights.Stride, y = destination.Pointer + row * destination.Stride;
            nint lane = 0;
            for (; lane <= x.Columns - TRegisters.Count * Lanes; lane += TRegisters.Count * Lanes) Tile<TSimd, TRegisters>(w, weights.Stride, rows, x.Pointer + lane, x.Stride, x.Rows, y + lane, destination.Stride);
            if (lane < x.Columns) Tile<TSimd, TileOfOne>(w, weights.Stride, rows, x.Pointer + lane, x.Stride, x.Rows, y + lane, destination.Stride);
        }

        weights.KeepAlive();
        x.KeepAlive();
        destination.KeepAlive();
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TSimd, TRegisters>(float* w0, nint stride, int rows, float* x, nint next, nint k, float* y, nint yStride)
        where TSimd : struct, ISimd<TSimd>
        where TRegisters : struct, ITileSize
    {
        const int Half = Lanes / 2, Together = TileRows * 2 * Lanes;
        float* sums = stackalloc float[Half * Together];
        float* w1 = w0 + Math.Min(1, rows - 1) * stride, w2 = w0 + Math.Min(2, rows - 1) * stride, w3 = w0 + (rows - 1) * stride; // rows that are missing are the last once more
        for (int i = 0; i < Half; i++)
        {
            TSimd a0 = TSimd.Zero, a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0; // running sums i and i + 8 of four rows
            TSimd c0 = a0, c1 = a0, c2 = a0, c3 = a0, d0 = a0, d1 = a0, d2 = a0, d3 = a0; // the same of the second register
            float* p = x + i * next, q = p + Half * next;
            for (nint at = i; at < k; at += Lanes, p += Lanes * next, q += Lanes * next)
            {
                TSimd u = TSimd.Load(p), v = TRegisters.Count > 1 ? TSimd.Load(p + Lanes) : u;
                AddProducts<TSimd, TRegisters>(ref a0, ref c0, w0 + at, u, v);
                AddProducts<TSimd, TRegisters>(ref a1, ref c1, w1 + at, u, v);
                AddProducts<TSimd, TRegisters>(ref a2, ref c2, w2 + at, u, v);
                AddProducts<TSimd, TRegisters>(ref a3, ref c3, w3 + at, u, v);
                u = TSimd.Load(q);
                v = TRegisters.Count > 1 ? TSimd.Load(q + Lanes) : u;
                AddProducts<TSimd, TRegisters>(ref b0, ref d0, w0 + at + Half, u, v);
                AddProducts<TSimd, TRegisters>(ref b1, ref d1, w1 + at + Half, u, v);
                AddProducts<TSimd, TRegisters>(ref b2, ref d2, w2 + at + Half, u, v);
                AddProducts<TSimd, TRegisters>(ref b3, ref d3, w3 + at + Half, u, v);
            }

            float* target = sums + i * Together;
            TSimd.Store(a0 + b0, target);
            TSimd.Store(a1 + b1, target + Lanes);
            TSimd.Store(a2 + b2, target + 2 * Lanes);
            TSimd.Store(a3 + b3, target + 3 * Lanes);
            if (TRegisters.Count == 1) continue;
            TSimd.Store(c0 + d0, target + 4 * Lanes);
            TSimd.Store(c1 + d1, target + 5 * Lanes);
            TSimd.Store(c2 + d2, target + 6 * Lanes);
            TSimd.Store(c3 + d3, target + 7 * Lanes);
        }

        for (int register = 0; register < TRegisters.Count; register++)
        {
            for (int row = 0; row < rows; row++)
            {
                float* part = sums + (register * TileRows + row) * Lanes;
                TSimd even = (TSimd.Load(part) + TSimd.Load(part + 4 * Together)) + (TSimd.Load(part + 2 * Together) + TSimd.Load(part + 6 * Together));
                TSimd odd = (TSimd.Load(part + Together) + TSimd.Load(part + 5 * Together)) + (TSimd.Load(part + 3 * Together) + TSimd.Load(part + 7 * Together));
                TSimd.Store(even + odd, y + row * yStride + register * Lanes);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddProducts<TSimd, TRegisters>(ref TSimd first, ref TSimd second, float* weight, TSimd u, TSimd v)
        where TSimd : struct, ISimd<TSimd>
        where TRegisters : struct, ITileSize
    {
        TSimd w = TSimd.BroadcastFrom(weight);
        TSimd.Accumulate(ref first, w, u);
        if (TRegisters.Count > 1) TSimd.Accumulate(ref second, w, v);
    }
}
