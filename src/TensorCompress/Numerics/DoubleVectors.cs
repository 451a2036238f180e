using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Numerics;

/// <summary>
/// Vector operations of the factorisations, in double. All multiply-adds are fused (in software where the CPU has none) and every sum is sixteen running sums and one
/// fixed tree, so that results, which reach files, are the same bits on every instruction set.
/// </summary>
internal static class DoubleVectors
{
    private const int Lanes = 8;

    /// <summary>The inner product of two vectors of one length.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref double xs = ref MemoryMarshal.GetReference(x);
        ref double ys = ref MemoryMarshal.GetReference(y);
        Vector512<double> even = Vector512<double>.Zero, odd = Vector512<double>.Zero;
        int i = 0;
        for (; i <= x.Length - 2 * Lanes; i += 2 * Lanes)
        {
            even = Vector512.FusedMultiplyAdd(Load(ref xs, i), Load(ref ys, i), even);
            odd = Vector512.FusedMultiplyAdd(Load(ref xs, i + Lanes), Load(ref ys, i + Lanes), odd);
        }

        double sum = Sum(even + odd);
        for (; i < x.Length; i++) sum = Math.FusedMultiplyAdd(x[i], y[i], sum);
        return sum;
    }

    /// <summary>The inner product of two vectors in single precision.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref float xs = ref MemoryMarshal.GetReference(x);
        ref float ys = ref MemoryMarshal.GetReference(y);
        Vector512<double> even = Vector512<double>.Zero, odd = Vector512<double>.Zero;
        int i = 0;
        for (; i <= x.Length - 2 * Lanes; i += 2 * Lanes)
        {
            (Vector512<double> xLow, Vector512<double> xHigh) = Vector512.Widen(Vector512.LoadUnsafe(ref xs, (nuint)i));
            (Vector512<double> yLow, Vector512<double> yHigh) = Vector512.Widen(Vector512.LoadUnsafe(ref ys, (nuint)i));
            even = Vector512.FusedMultiplyAdd(xLow, yLow, even);
            odd = Vector512.FusedMultiplyAdd(xHigh, yHigh, odd);
        }

        double sum = Sum(even + odd);
        for (; i < x.Length; i++) sum = Math.FusedMultiplyAdd(x[i], y[i], sum);
        return sum;
    }

    /// <summary>The sum of squares of a vector in single precision.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double SquaredNorm(ReadOnlySpan<float> x)
    {
        ref float xs = ref MemoryMarshal.GetReference(x);
        Vector512<double> even = Vector512<double>.Zero, odd = Vector512<double>.Zero;
        int i = 0;
        for (; i <= x.Length - 2 * Lanes; i += 2 * Lanes)
        {
            (Vector512<double> low, Vector512<double> high) = Vector512.Widen(Vector512.LoadUnsafe(ref xs, (nuint)i));
            even = Vector512.FusedMultiplyAdd(low, low, even);
            odd = Vector512.FusedMultiplyAdd(high, high, odd);
        }

        double sum = Sum(even + odd);
        for (; i < x.Length; i++) sum = Math.FusedMultiplyAdd(x[i], x[i], sum);
        return sum;
    }

    /// <summary>y = y + factor x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled(double factor, ReadOnlySpan<double> x, Span<double> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref double xs = ref MemoryMarshal.GetReference(x);
        ref double ys = ref MemoryMarshal.GetReference(y);
        Vector512<double> factors = Vector512.Create(factor);
        int i = 0;
        for (; i <= x.Length - Lanes; i += Lanes) Vector512.FusedMultiplyAdd(factors, Load(ref xs, i), Load(ref ys, i)).StoreUnsafe(ref ys, (nuint)i);
        for (; i < x.Length; i++) y[i] = Math.FusedMultiplyAdd(factor, x[i], y[i]);
    }

    /// <summary>y = y + factor x with x in single precision.</summary>
    public static void AddScaled(double factor, ReadOnlySpan<float> x, Span<double> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref float xs = ref MemoryMarshal.GetReference(x);
        ref double ys = ref MemoryMarshal.GetReference(y);
        Vector512<double> factors = Vector512.Create(factor);
        int i = 0;
        for (; i <= x.Length - 2 * Lanes; i += 2 * Lanes)
        {
            (Vector512<double> low, Vector512<double> high) = Vector512.Widen(Vector512.LoadUnsafe(ref xs, (nuint)i));
            Vector512.FusedMultiplyAdd(factors, low, Load(ref ys, i)).StoreUnsafe(ref ys, (nuint)i);
            Vector512.FusedMultiplyAdd(factors, high, Load(ref ys, i + Lanes)).StoreUnsafe(ref ys, (nuint)(i + Lanes));
        }

        for (; i < x.Length; i++) y[i] = Math.FusedMultiplyAdd(factor, x[i], y[i]);
    }

    /// <summary>x = factor x.</summary>
    public static void Scale(double factor, Span<double> x)
    {
        TensorPrimitives.Multiply<double>(x, factor, x);
    }

    /// <summary>The index of the element of largest magnitude, the first of equals; -1 for none.</summary>
    public static int IndexOfLargest(ReadOnlySpan<double> x)
    {
        int largest = x.Length == 0 ? -1 : 0;
        for (int i = 1; i < x.Length; i++)
        {
            if (Math.Abs(x[i]) > Math.Abs(x[largest])) largest = i;
        }

        return largest;
    }

    /// <summary>x, y = xx x + xy y, yx x + yy y.</summary>
    /// <returns>The squared norms of the new vectors.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (double X, double Y) Rotate(Span<double> x, Span<double> y, in PlaneRotation rotation)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        ref double xs = ref MemoryMarshal.GetReference(x);
        ref double ys = ref MemoryMarshal.GetReference(y);
        Vector512<double> xx = Vector512.Create(rotation.XX), xy = Vector512.Create(rotation.XY), yx = Vector512.Create(rotation.YX), yy = Vector512.Create(rotation.YY);
        Vector512<double> normsX = Vector512<double>.Zero, normsY = Vector512<double>.Zero;
        int i = 0;
        for (; i <= x.Length - Lanes; i += Lanes)
        {
            Vector512<double> a = Load(ref xs, i), b = Load(ref ys, i);
            Vector512<double> newX = Vector512.FusedMultiplyAdd(xx, a, xy * b), newY = Vector512.FusedMultiplyAdd(yx, a, yy * b);
            newX.StoreUnsafe(ref xs, (nuint)i);
            newY.StoreUnsafe(ref ys, (nuint)i);
            normsX = Vector512.FusedMultiplyAdd(newX, newX, normsX);
            normsY = Vector512.FusedMultiplyAdd(newY, newY, normsY);
        }

        double normX = Sum(normsX), normY = Sum(normsY);
        for (; i < x.Length; i++)
        {
            double newX = Math.FusedMultiplyAdd(rotation.XX, x[i], rotation.XY * y[i]), newY = Math.FusedMultiplyAdd(rotation.YX, x[i], rotation.YY * y[i]);
            x[i] = newX;
            y[i] = newY;
            normX = Math.FusedMultiplyAdd(newX, newX, normX);
            normY = Math.FusedMultiplyAdd(newY, newY, normY);
        }

        return (normX, normY);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> Load(ref double start, int index) => Vector512.LoadUnsafe(ref start, (nuint)index);

    /// <summary>The fixed tree: lanes (i, i + 4), (i, i + 2), (i, i + 1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Sum(Vector512<double> value)
    {
        Vector256<double> four = value.GetLower() + value.GetUpper();
        Vector128<double> two = four.GetLower() + four.GetUpper();
        return two[0] + two[1];
    }
}

/// <summary>An orthogonal 2 x 2 matrix [XX XY; YX YY]: a rotation, or one with the two results exchanged.</summary>
internal readonly record struct PlaneRotation(double XX, double XY, double YX, double YY);
