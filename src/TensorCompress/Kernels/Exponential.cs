using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>e^x for floats, own code so that every platform gives the same bits. Error below 1.5 ulp; arguments are clamped to [-87, 88].</summary>
internal static class Exponential
{
    private const float Log2E = 1.44269504f;
    private const float Ln2High = 0.693359375f; // few bits, so that n * Ln2High is exact
    private const float Ln2Low = -2.12194440e-4f;

    /// <summary>e^x, by x = n ln 2 + r, |r| &lt;= ln 2 / 2, and a polynomial for e^r (Cephes expf).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSimd Exp<TSimd>(TSimd x)
        where TSimd : struct, ISimd<TSimd>
    {
        // By comparisons, which let NaN pass: the minimum and maximum of IEEE 754 take three times the instructions.
        TSimd least = TSimd.Broadcast(-87f), largest = TSimd.Broadcast(88f);
        x = TSimd.Select(TSimd.LessThan(x, least), least, x);
        x = TSimd.Select(TSimd.LessThan(largest, x), largest, x);
        TSimd n = TSimd.Round(x * TSimd.Broadcast(Log2E));
        TSimd r = TSimd.MultiplyAdd(n, TSimd.Broadcast(-Ln2High), x);
        r = TSimd.MultiplyAdd(n, TSimd.Broadcast(-Ln2Low), r);
        TSimd p = TSimd.Broadcast(1.9875691500e-4f);
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1.3981999507e-3f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(8.3334519073e-3f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(4.1665795894e-2f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1.6666665459e-1f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(5.0000001201e-1f));
        p = TSimd.MultiplyAdd(p, r * r, r) + TSimd.Broadcast(1f);
        return p * TSimd.PowerOfTwo(n);
    }

    /// <summary>e^x as an operation over vectors.</summary>
    internal readonly struct Operation : IUnaryOperation
    {
        public static TSimd Apply<TSimd>(TSimd x)
            where TSimd : struct, ISimd<TSimd> => Exp(x);
    }
}
