using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>Finite binary16 numbers in the lower halves of the lanes to floats, exactly. .NET has no vector form of the CPU's own conversion.</summary>
/// <remarks>
/// Moving exponent and mantissa up by 13 bits and adding 112 to the exponent is right for normal numbers and gives (1 + m) 2^-15 instead of m 2^-14 for the others (exponent 0,
/// mantissa m in 0 to 1). Adding min(value - 2^-14, 0) mends those and leaves the normal ones. No step sees a subnormal float, which some CPUs handle slowly.
/// </remarks>
internal static class HalfConversion
{
    private const uint Magnitude = 0x7FFF, Rebias = 112u << 23;
    private const float SmallestNormal = 1f / (1 << 14);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ToSingle(Vector512<uint> half)
    {
        Vector512<float> value = (((half & Vector512.Create(Magnitude)) << 13) + Vector512.Create(Rebias)).AsSingle();
        value += Vector512.MinNative(value - Vector512.Create(SmallestNormal), Vector512<float>.Zero);
        return value | (half.AsInt32() << 16 & Vector512.Create(int.MinValue)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToSingle(Vector256<uint> half)
    {
        Vector256<float> value = (((half & Vector256.Create(Magnitude)) << 13) + Vector256.Create(Rebias)).AsSingle();
        value += Vector256.MinNative(value - Vector256.Create(SmallestNormal), Vector256<float>.Zero);
        return value | (half.AsInt32() << 16 & Vector256.Create(int.MinValue)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ToSingle(Vector128<uint> half)
    {
        Vector128<float> value = (((half & Vector128.Create(Magnitude)) << 13) + Vector128.Create(Rebias)).AsSingle();
        value += Vector128.MinNative(value - Vector128.Create(SmallestNormal), Vector128<float>.Zero);
        return value | (half.AsInt32() << 16 & Vector128.Create(int.MinValue)).AsSingle();
    }
}
