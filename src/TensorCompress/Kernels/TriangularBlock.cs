using System.Numerics;
using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>
/// <c>L X = B</c> for a small lower triangle by forward substitution, all right-hand sides at once: lanes are right-hand sides, each element is one chain of fused
/// multiply-adds and one division. What a larger triangle leaves beside such blocks is matrix products.
/// </summary>
internal static unsafe class TriangularBlock
{
    /// <summary>Rows of the largest block: L and a strip of X stay in the first-level cache.</summary>
    public const int MaxRows = 64;

    /// <summary>Solves in place.</summary>
    /// <param name="rows">Rows of L, at most <see cref="MaxRows"/>.</param>
    /// <param name="lower">L by rows, <see cref="MaxRows"/> elements apart; below the diagonal the elements are negated.</param>
    /// <param name="x">First element of B, overwritten by X.</param>
    /// <param name="stride">Elements between rows of B; negative where they are taken from the last to the first.</param>
    /// <param name="columns">Right-hand sides, neighbours in memory.</param>
    public static void Solve<T>(int rows, T* lower, T* x, nint stride, nint columns)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Register512<T>, T>(rows, lower, x, stride, columns); break;
            case SimdWidth.Bits256: Core<Register256<T>, T>(rows, lower, x, stride, columns); break;
            case SimdWidth.Bits128: Core<Register128<T>, T>(rows, lower, x, stride, columns); break;
            default: Core<RegisterScalar<T>, T>(rows, lower, x, stride, columns); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Core<TRegister, T>(int rows, T* lower, T* x, nint stride, nint columns)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        nint column = 0;
        for (; column <= columns - 4 * TRegister.Count; column += 4 * TRegister.Count) FourRegisters<TRegister, T>(rows, lower, x + column, stride);
        for (; column <= columns - TRegister.Count; column += TRegister.Count) OneRegister<TRegister, T>(rows, lower, x + column, stride);
        for (; column < columns; column++) OneRegister<RegisterScalar<T>, T>(rows, lower, x + column, stride);
    }

    // Two rows at a time, eight chains: one row's four would wait for each other's multiply-adds. The second row then takes off what the first has come to.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRegisters<TRegister, T>(int rows, T* lower, T* x, nint stride)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged
    {
        int width = TRegister.Count;
        T* row = x;
        for (int i = 0; i < rows; i += 2, row += 2 * stride, lower += 2 * MaxRows)
        {
            bool hasSecond = i + 1 < rows;
            T* second = hasSecond ? row + stride : row, secondLower = hasSecond ? lower + MaxRows : lower;
            TRegister s0 = TRegister.Load(row), s1 = TRegister.Load(row + width), s2 = TRegister.Load(row + 2 * width), s3 = TRegister.Load(row + 3 * width);
            TRegister t0 = TRegister.Load(second), t1 = TRegister.Load(second + width), t2 = TRegister.Load(second + 2 * width), t3 = TRegister.Load(second + 3 * width);
            T* solved = x;
            for (int j = 0; j < i; j++, solved += stride)
            {
                TRegister factor = TRegister.Broadcast(lower[j]), secondFactor = TRegister.Broadcast(secondLower[j]), value = TRegister.Load(solved);
                TRegister.Accumulate(ref s0, factor, value);
                TRegister.Accumulate(ref t0, secondFactor, value);
                value = TRegister.Load(solved + width);
                TRegister.Accumulate(ref s1, factor, value);
                TRegister.Accumulate(ref t1, secondFactor, value);
                value = TRegister.Load(solved + 2 * width);
                TRegister.Accumulate(ref s2, factor, value);
                TRegister.Accumulate(ref t2, secondFactor, value);
                value = TRegister.Load(solved + 3 * width);
                TRegister.Accumulate(ref s3, factor, value);
                TRegister.Accumulate(ref t3, secondFactor, value);
            }

            TRegister pivot = TRegister.Broadcast(lower[i]);
            (s0, s1, s2, s3) = (s0 / pivot, s1 / pivot, s2 / pivot, s3 / pivot);
            TRegister.Store(s0, row);
            TRegister.Store(s1, row + width);
            TRegister.Store(s2, row + 2 * width);
            TRegister.Store(s3, row + 3 * width);
            if (!hasSecond) continue;
            TRegister last = TRegister.Broadcast(secondLower[i]), secondPivot = TRegister.Broadcast(secondLower[i + 1]);
            TRegister.Accumulate(ref t0, last, s0);
            TRegister.Accumulate(ref t1, last, s1);
            TRegister.Accumulate(ref t2, last, s2);
            TRegister.Accumulate(ref t3, last, s3);
            TRegister.Store(t0 / secondPivot, second);
            TRegister.Store(t1 / secondPivot, second + width);
            TRegister.Store(t2 / secondPivot, second + 2 * width);
            TRegister.Store(t3 / secondPivot, second + 3 * width);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRegister<TRegister, T>(int rows, T* lower, T* x, nint stride)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged
    {
        T* row = x;
        for (int i = 0; i < rows; i++, row += stride, lower += MaxRows)
        {
            TRegister sum = TRegister.Load(row);
            T* solved = x;
            for (int j = 0; j < i; j++, solved += stride) TRegister.Accumulate(ref sum, TRegister.Broadcast(lower[j]), TRegister.Load(solved));
            TRegister.Store(sum / TRegister.Broadcast(lower[i]), row);
        }
    }
}
