using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes in four 128-bit vectors.</summary>
internal readonly struct Simd128(Vector128<float> v0, Vector128<float> v1, Vector128<float> v2, Vector128<float> v3) : ISimd<Simd128>
{
    private readonly Vector128<float> _v0 = v0;
    private readonly Vector128<float> _v1 = v1;
    private readonly Vector128<float> _v2 = v2;
    private readonly Vector128<float> _v3 = v3;

    public static Simd128 Zero => Broadcast(0);

    public static Simd128 Broadcast(float value)
    {
        Vector128<float> vector = Vector128.Create(value);
        return new(vector, vector, vector, vector);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd128 Load(float* source) =>
        new(Vector128.Load(source), Vector128.Load(source + 4), Vector128.Load(source + 8), Vector128.Load(source + 12));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store(Simd128 value, float* destination)
    {
        value._v0.Store(destination);
        value._v1.Store(destination + 4);
        value._v2.Store(destination + 8);
        value._v3.Store(destination + 12);
    }

    public static Simd128 operator +(Simd128 left, Simd128 right) =>
        new(left._v0 + right._v0, left._v1 + right._v1, left._v2 + right._v2, left._v3 + right._v3);

    public static Simd128 operator -(Simd128 left, Simd128 right) =>
        new(left._v0 - right._v0, left._v1 - right._v1, left._v2 - right._v2, left._v3 - right._v3);

    public static Simd128 operator *(Simd128 left, Simd128 right) =>
        new(left._v0 * right._v0, left._v1 * right._v1, left._v2 * right._v2, left._v3 * right._v3);

    public static Simd128 operator /(Simd128 left, Simd128 right) =>
        new(left._v0 / right._v0, left._v1 / right._v1, left._v2 / right._v2, left._v3 / right._v3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 MultiplyAdd(Simd128 a, Simd128 b, Simd128 c) => new(
        Vector128.MultiplyAddEstimate(a._v0, b._v0, c._v0),
        Vector128.MultiplyAddEstimate(a._v1, b._v1, c._v1),
        Vector128.MultiplyAddEstimate(a._v2, b._v2, c._v2),
        Vector128.MultiplyAddEstimate(a._v3, b._v3, c._v3));

    public static Simd128 Max(Simd128 left, Simd128 right) => new(
        Vector128.Max(left._v0, right._v0), Vector128.Max(left._v1, right._v1), Vector128.Max(left._v2, right._v2), Vector128.Max(left._v3, right._v3));

    public static Simd128 Min(Simd128 left, Simd128 right) => new(
        Vector128.Min(left._v0, right._v0), Vector128.Min(left._v1, right._v1), Vector128.Min(left._v2, right._v2), Vector128.Min(left._v3, right._v3));

    public static Simd128 Round(Simd128 value) =>
        new(Vector128.Round(value._v0), Vector128.Round(value._v1), Vector128.Round(value._v2), Vector128.Round(value._v3));

    public static Simd128 PowerOfTwo(Simd128 n) => new(PowerOfTwo(n._v0), PowerOfTwo(n._v1), PowerOfTwo(n._v2), PowerOfTwo(n._v3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumToFour(Simd128 value) => (value._v0 + value._v2) + (value._v1 + value._v3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd128 LoadHalf(ushort* source)
    {
        (Vector128<uint> v0, Vector128<uint> v1) = Vector128.Widen(Vector128.Load(source));
        (Vector128<uint> v2, Vector128<uint> v3) = Vector128.Widen(Vector128.Load(source + 8));
        return new(HalfConversion.ToSingle(v0), HalfConversion.ToSingle(v1), HalfConversion.ToSingle(v2), HalfConversion.ToSingle(v3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd128 LoadBfloat16(ushort* source)
    {
        (Vector128<uint> v0, Vector128<uint> v1) = Vector128.Widen(Vector128.Load(source));
        (Vector128<uint> v2, Vector128<uint> v3) = Vector128.Widen(Vector128.Load(source + 8));
        return new((v0 << 16).AsSingle(), (v1 << 16).AsSingle(), (v2 << 16).AsSingle(), (v3 << 16).AsSingle());
    }

    private static Vector128<float> PowerOfTwo(Vector128<float> n) => ((Vector128.ConvertToInt32(n) + Vector128.Create(127)) << 23).AsSingle();
}
