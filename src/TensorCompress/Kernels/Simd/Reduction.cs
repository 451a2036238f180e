using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>The fixed tree that adds sixteen lanes: (i, i + 8), (i, i + 4), (i, i + 2), (i, i + 1).</summary>
internal static class Reduction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum<TSimd>(TSimd value)
        where TSimd : struct, ISimd<TSimd>
    {
        Vector128<float> four = TSimd.SumToFour(value);
        return (four[0] + four[2]) + (four[1] + four[3]);
    }

    /// <summary>Four sums at once, each by the same tree.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4<TSimd>(TSimd a, TSimd b, TSimd c, TSimd d)
        where TSimd : struct, ISimd<TSimd>
    {
        Vector128<float> va = TSimd.SumToFour(a), vb = TSimd.SumToFour(b), vc = TSimd.SumToFour(c), vd = TSimd.SumToFour(d);
        Vector128<float> ab = Vector128.Create(va.GetLower(), vb.GetLower()) + Vector128.Create(va.GetUpper(), vb.GetUpper()); // a0+a2, a1+a3, b0+b2, b1+b3
        Vector128<float> cd = Vector128.Create(vc.GetLower(), vd.GetLower()) + Vector128.Create(vc.GetUpper(), vd.GetUpper());
        return Sse.IsSupported
            ? Sse.Shuffle(ab, cd, 0b10_00_10_00) + Sse.Shuffle(ab, cd, 0b11_01_11_01)
            : Vector128.Create(ab[0] + ab[1], ab[2] + ab[3], cd[0] + cd[1], cd[2] + cd[3]);
    }
}
