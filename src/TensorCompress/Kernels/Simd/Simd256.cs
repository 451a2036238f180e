using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes in two 256-bit vectors.</summary>
internal readonly struct Simd256(Vector256<float> low, Vector256<float> high) : ISimd<Simd256>
{
    private readonly Vector256<float> _low = low;
    private readonly Vector256<float> _high = high;

    public static Simd256 Zero => new(Vector256<float>.Zero, Vector256<float>.Zero);

    public static Simd256 Broadcast(float value) => new(Vector256.Create(value), Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd256 Load(float* source) => new(Vector256.Load(source), Vector256.Load(source + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store(Simd256 value, float* destination)
    {
        value._low.Store(destination);
        value._high.Store(destination + 8);
    }

    public static Simd256 operator +(Simd256 left, Simd256 right) => new(left._low + right._low, left._high + right._high);

    public static Simd256 operator -(Simd256 left, Simd256 right) => new(left._low - right._low, left._high - right._high);

    public static Simd256 operator *(Simd256 left, Simd256 right) => new(left._low * right._low, left._high * right._high);

    public static Simd256 operator /(Simd256 left, Simd256 right) => new(left._low / right._low, left._high / right._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 MultiplyAdd(Simd256 a, Simd256 b, Simd256 c) => new(
        Vector256.MultiplyAddEstimate(a._low, b._low, c._low), Vector256.MultiplyAddEstimate(a._high, b._high, c._high));

    public static Simd256 Max(Simd256 left, Simd256 right) => new(Vector256.Max(left._low, right._low), Vector256.Max(left._high, right._high));

    public static Simd256 Min(Simd256 left, Simd256 right) => new(Vector256.Min(left._low, right._low), Vector256.Min(left._high, right._high));

    public static Simd256 Round(Simd256 value) => new(Vector256.Round(value._low), Vector256.Round(value._high));

    public static Simd256 PowerOfTwo(Simd256 n) => new(PowerOfTwo(n._low), PowerOfTwo(n._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumToFour(Simd256 value)
    {
        Vector256<float> eight = value._low + value._high;
        return eight.GetLower() + eight.GetUpper();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd256 LoadHalf(ushort* source) => new(HalfConversion.ToSingle(Widen(source)), HalfConversion.ToSingle(Widen(source + 8)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd256 LoadBfloat16(ushort* source) => new((Widen(source) << 16).AsSingle(), (Widen(source + 8) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe Vector256<uint> Widen(ushort* source) => Vector256.WidenLower(Vector128.Load(source).ToVector256Unsafe());

    private static Vector256<float> PowerOfTwo(Vector256<float> n) => ((Vector256.ConvertToInt32(n) + Vector256.Create(127)) << 23).AsSingle();
}
