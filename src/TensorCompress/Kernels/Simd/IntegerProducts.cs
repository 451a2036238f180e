using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sums of neighbouring products, by the instruction of the CPU where it has one of the width, else by halves, at the end by widening.</summary>
internal static class IntegerProducts
{
    /// <summary>Unsigned times signed bytes, pairs added. The caller sees to it that a sum fits into 16 bits, so that no implementation saturates or wraps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<short> OfBytes(Vector512<byte> a, Vector512<sbyte> b) => Avx512BW.IsSupported
        ? Avx512BW.MultiplyAddAdjacent(a, b)
        : Vector512.Create(OfBytes(a.GetLower(), b.GetLower()), OfBytes(a.GetUpper(), b.GetUpper()));

    /// <inheritdoc cref="OfBytes(Vector512{byte}, Vector512{sbyte})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<short> OfBytes(Vector256<byte> a, Vector256<sbyte> b) => Avx2.IsSupported
        ? Avx2.MultiplyAddAdjacent(a, b)
        : Vector256.Create(OfBytes(a.GetLower(), b.GetLower()), OfBytes(a.GetUpper(), b.GetUpper()));

    /// <inheritdoc cref="OfBytes(Vector512{byte}, Vector512{sbyte})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<short> OfBytes(Vector128<byte> a, Vector128<sbyte> b)
    {
        if (Ssse3.IsSupported) return Ssse3.MultiplyAddAdjacent(a, b);
        (Vector128<ushort> a0, Vector128<ushort> a1) = Vector128.Widen(a);
        (Vector128<short> b0, Vector128<short> b1) = Vector128.Widen(b);
        Vector128<short> low = a0.AsInt16() * b0, high = a1.AsInt16() * b1;
        return AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.AddPairwise(low, high) : AddPairs(low, high);
    }

    /// <summary>Signed 16-bit products, pairs added in 32 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> OfShorts(Vector512<short> a, Vector512<short> b) => Avx512BW.IsSupported
        ? Avx512BW.MultiplyAddAdjacent(a, b)
        : Vector512.Create(OfShorts(a.GetLower(), b.GetLower()), OfShorts(a.GetUpper(), b.GetUpper()));

    /// <inheritdoc cref="OfShorts(Vector512{short}, Vector512{short})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> OfShorts(Vector256<short> a, Vector256<short> b) => Avx2.IsSupported
        ? Avx2.MultiplyAddAdjacent(a, b)
        : Vector256.Create(OfShorts(a.GetLower(), b.GetLower()), OfShorts(a.GetUpper(), b.GetUpper()));

    /// <inheritdoc cref="OfShorts(Vector512{short}, Vector512{short})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> OfShorts(Vector128<short> a, Vector128<short> b)
    {
        if (Sse2.IsSupported) return Sse2.MultiplyAddAdjacent(a, b);
        (Vector128<int> a0, Vector128<int> a1) = Vector128.Widen(a);
        (Vector128<int> b0, Vector128<int> b1) = Vector128.Widen(b);
        Vector128<int> low = a0 * b0, high = a1 * b1;
        return AdvSimd.Arm64.IsSupported
            ? AdvSimd.Arm64.AddPairwise(low, high)
            : Vector128.Create(low[0] + low[1], low[2] + low[3], high[0] + high[1], high[2] + high[3]);
    }

    /// <summary>Adds four products of unsigned and signed bytes to each 32-bit sum: VPDPBUSD where it exists, else one by one (as the tests have it on other CPUs).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddFour(Vector256<int> sums, Vector256<byte> a, Vector256<sbyte> b)
    {
        if (AvxVnni.IsSupported) return AvxVnni.MultiplyWideningAndAdd(sums, a, b);
        for (int i = 0; i < Vector256<byte>.Count; i++) sums = sums.WithElement(i / 4, sums[i / 4] + a[i] * b[i]);
        return sums;
    }

    /// <summary>Adds two products of signed 16-bit numbers to each 32-bit sum: VPDPWSSD where it exists.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddTwo(Vector256<int> sums, Vector256<short> a, Vector256<short> b) =>
        AvxVnni.IsSupported ? AvxVnni.MultiplyWideningAndAdd(sums, a, b) : sums + OfShorts(a, b);

    /// <summary>Values (-127 to 127) with the sign of the others; whatever where those are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> WithSign(Vector256<sbyte> values, Vector256<sbyte> signs)
    {
        if (Avx2.IsSupported) return Avx2.Sign(values, signs);
        Vector256<sbyte> negative = Vector256.LessThan(signs, Vector256<sbyte>.Zero);
        return (values ^ negative) - negative;
    }

    /// <inheritdoc cref="WithSign(Vector256{sbyte}, Vector256{sbyte})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> WithSign(Vector128<sbyte> values, Vector128<sbyte> signs)
    {
        if (Ssse3.IsSupported) return Ssse3.Sign(values, signs);
        Vector128<sbyte> negative = Vector128.LessThan(signs, Vector128<sbyte>.Zero);
        return (values ^ negative) - negative;
    }

    /// <summary>All sums of each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Totals(Vector256<int> a, Vector256<int> b, Vector256<int> c, Vector256<int> d)
    {
        if (!Avx2.IsSupported) return Totals(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(), c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());
        Vector256<int> sums = Avx2.HorizontalAdd(Avx2.HorizontalAdd(a, b), Avx2.HorizontalAdd(c, d));
        return sums.GetLower() + sums.GetUpper();
    }

    /// <inheritdoc cref="Totals(Vector256{int}, Vector256{int}, Vector256{int}, Vector256{int})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Totals(Vector128<int> a, Vector128<int> b, Vector128<int> c, Vector128<int> d) => Vector128.Create(Vector128.Sum(a), Vector128.Sum(b), Vector128.Sum(c), Vector128.Sum(d));

    private static Vector128<short> AddPairs(Vector128<short> low, Vector128<short> high)
    {
        Vector128<short> sums = default;
        for (int i = 0; i < 4; i++) sums = sums.WithElement(i, (short)(low[2 * i] + low[2 * i + 1])).WithElement(i + 4, (short)(high[2 * i] + high[2 * i + 1]));
        return sums;
    }
}
