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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRegisters<TRegister, T>(int rows, T* lower, T* x, nint stride)
        where TRegister : struct, IRegister<TRegister, T>
        where T : unmanaged
    {
        int width = TRegister.Count;
        T* row = x;
        for (int i = 0; i < rows; i++, row += stride, lower += MaxRows)
        {
            TRegister s0 = TRegister.Load(row), s1 = TRegister.Load(row + width), s2 = TRegister.Load(row + 2 * width), s3 = TRegister.Load(row + 3 * width);
            T* solved = x;
            for (int j = 0; j < i; j++, solved += stride)
            {
                TRegister factor = TRegister.Broadcast(lower[j]);
                TRegister.Accumulate(ref s0, factor, TRegister.Load(solved));
                TRegister.Accumulate(ref s1, factor, TRegister.Load(solved + width));
                TRegister.Accumulate(ref s2, factor, TRegister.Load(solved + 2 * width));
                TRegister.Accumulate(ref s3, factor, TRegister.Load(solved + 3 * width));
            }

            TRegister pivot = TRegister.Broadcast(lower[i]);
            TRegister.Store(s0 / pivot, row);
            TRegister.Store(s1 / pivot, row + width);
            TRegister.Store(s2 / pivot, row + 2 * width);
            TRegister.Store(s3 / pivot, row + 3 * width);
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
