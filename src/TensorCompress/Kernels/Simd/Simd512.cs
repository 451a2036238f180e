using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes in one 512-bit vector.</summary>
internal struct Simd512(Vector512<float> value) : ISimd<Simd512>
{
    private Vector512<float> _value = value;

    public static Simd512 Zero => new(Vector512<float>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd512 BroadcastFrom(float* source) => Broadcast(*source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Broadcast(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd512 Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store(Simd512 value, float* destination) => value._value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 FromSigned(Vector128<sbyte> values) =>
        new(Vector512.ConvertToSingle(Vector512.WidenLower(Vector256.WidenLower(values.ToVector256Unsafe()).ToVector512Unsafe())));

    public static Simd512 operator +(Simd512 left, Simd512 right) => new(left._value + right._value);

    public static Simd512 operator -(Simd512 left, Simd512 right) => new(left._value - right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 operator *(Simd512 left, Simd512 right) => new(left._value * right._value);

    public static Simd512 operator /(Simd512 left, Simd512 right) => new(left._value / right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 MultiplyAdd(Simd512 a, Simd512 b, Simd512 c) => new(Vector512.MultiplyAddEstimate(a._value, b._value, c._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Simd512 sum, Simd512 a, Simd512 b) => sum._value = Vector512.MultiplyAddEstimate(a._value, b._value, sum._value);

    public static Simd512 Max(Simd512 left, Simd512 right) => new(Vector512.Max(left._value, right._value));

    public static Simd512 Min(Simd512 left, Simd512 right) => new(Vector512.Min(left._value, right._value));

    public static Simd512 Round(Simd512 value) => new(Vector512.Round(value._value));

    public static Simd512 PowerOfTwo(Simd512 n) => new(((Vector512.ConvertToInt32Native(n._value) + Vector512.Create(127)) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 operator &(Simd512 left, Simd512 right) => new(left._value & right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 operator |(Simd512 left, Simd512 right) => new(left._value | right._value);

    public static Simd512 AddBits(Simd512 left, Simd512 right) => new((left._value.AsInt32() + right._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 ShiftLeft(Simd512 value, int count) => new((value._value.AsUInt32() << count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 ShiftRight(Simd512 value, int count) => new((value._value.AsUInt32() >>> count).AsSingle());

    public static Simd512 LessThan(Simd512 left, Simd512 right) => new(Vector512.LessThan(left._value, right._value));

    public static Simd512 IsNaN(Simd512 value) => new(Vector512.IsNaN(value._value));

    public static Simd512 Select(Simd512 mask, Simd512 ifSet, Simd512 ifNot) => new(Vector512.ConditionalSelect(mask._value, ifSet._value, ifNot._value));

    public static Simd512 SwapNeighbours(Simd512 value) => new(Vector512.Shuffle(value._value, Vector512.Create(1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unzip(ref Simd512 first, ref Simd512 second)
    {
        Vector512<int> evens = Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
        Vector512<float> left = Vector512.Shuffle(first._value, evens), right = Vector512.Shuffle(second._value, evens);
        first = new(Vector512.Create(left.GetLower(), right.GetLower()));
        second = new(Vector512.Create(left.GetUpper(), right.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Zip(ref Simd512 first, ref Simd512 second)
    {
        Vector512<int> turns = Vector512.Create(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
        Vector512<float> left = Vector512.Create(first._value.GetLower(), second._value.GetLower()), right = Vector512.Create(first._value.GetUpper(), second._value.GetUpper());
        first = new(Vector512.Shuffle(left, turns));
        second = new(Vector512.Shuffle(right, turns));
    }

    public static int HighBits(Simd512 value) => (int)value._value.ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 MaskOf(int bits)
    {
        Vector512<int> places = Vector512.Create(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768);
        return new(Vector512.Equals(Vector512.Create(bits) & places, places).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd512 LoadWords(ushort* source) => new(Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd512 LoadShorts(short* source) => new(Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void StoreWords(Simd512 value, ushort* destination) =>
        Vector256.Narrow(value._value.GetLower().AsUInt32(), value._value.GetUpper().AsUInt32()).Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumToFour(Simd512 value)
    {
        Vector256<float> eight = value._value.GetLower() + value._value.GetUpper();
        return eight.GetLower() + eight.GetUpper();
    }

}
