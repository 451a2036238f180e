using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes in four 128-bit vectors.</summary>
internal readonly struct Simd128(Vector128<float> v0, Vector128<float> v1, Vector128<float> v2, Vector128<float> v3) : ISimd<Simd128>
{
    private readonly Vector128<float> _v0 = v0;
    private readonly Vector128<float> _v1 = v1;
    private readonly Vector128<float> _v2 = v2;
    private readonly Vector128<float> _v3 = v3;

    public static Simd128 Zero => Broadcast(0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd128 BroadcastFrom(float* source) => Broadcast(*source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 FromSigned(Vector128<sbyte> values)
    {
        (Vector128<short> low, Vector128<short> high) = Vector128.Widen(values);
        (Vector128<int> i0, Vector128<int> i1) = Vector128.Widen(low);
        (Vector128<int> i2, Vector128<int> i3) = Vector128.Widen(high);
        return new(Vector128.ConvertToSingle(i0), Vector128.ConvertToSingle(i1), Vector128.ConvertToSingle(i2), Vector128.ConvertToSingle(i3));
    }

    public static Simd128 operator +(Simd128 left, Simd128 right) =>
        new(left._v0 + right._v0, left._v1 + right._v1, left._v2 + right._v2, left._v3 + right._v3);

    public static Simd128 operator -(Simd128 left, Simd128 right) =>
        new(left._v0 - right._v0, left._v1 - right._v1, left._v2 - right._v2, left._v3 - right._v3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Simd128 sum, Simd128 a, Simd128 b) => sum = MultiplyAdd(a, b, sum);

    public static Simd128 Max(Simd128 left, Simd128 right) => new(
        Vector128.Max(left._v0, right._v0), Vector128.Max(left._v1, right._v1), Vector128.Max(left._v2, right._v2), Vector128.Max(left._v3, right._v3));

    public static Simd128 Min(Simd128 left, Simd128 right) => new(
        Vector128.Min(left._v0, right._v0), Vector128.Min(left._v1, right._v1), Vector128.Min(left._v2, right._v2), Vector128.Min(left._v3, right._v3));

    public static Simd128 Round(Simd128 value) =>
        new(Vector128.Round(value._v0), Vector128.Round(value._v1), Vector128.Round(value._v2), Vector128.Round(value._v3));

    public static Simd128 PowerOfTwo(Simd128 n) => new(PowerOfTwo(n._v0), PowerOfTwo(n._v1), PowerOfTwo(n._v2), PowerOfTwo(n._v3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 operator &(Simd128 left, Simd128 right) => new(left._v0 & right._v0, left._v1 & right._v1, left._v2 & right._v2, left._v3 & right._v3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 operator |(Simd128 left, Simd128 right) => new(left._v0 | right._v0, left._v1 | right._v1, left._v2 | right._v2, left._v3 | right._v3);

    public static Simd128 AddBits(Simd128 left, Simd128 right) => new(AddBits(left._v0, right._v0), AddBits(left._v1, right._v1), AddBits(left._v2, right._v2), AddBits(left._v3, right._v3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 ShiftLeft(Simd128 value, int count) => new(
        (value._v0.AsUInt32() << count).AsSingle(), (value._v1.AsUInt32() << count).AsSingle(), (value._v2.AsUInt32() << count).AsSingle(), (value._v3.AsUInt32() << count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 ShiftRight(Simd128 value, int count) => new(
        (value._v0.AsUInt32() >>> count).AsSingle(), (value._v1.AsUInt32() >>> count).AsSingle(), (value._v2.AsUInt32() >>> count).AsSingle(), (value._v3.AsUInt32() >>> count).AsSingle());

    public static Simd128 LessThan(Simd128 left, Simd128 right) => new(
        Vector128.LessThan(left._v0, right._v0), Vector128.LessThan(left._v1, right._v1), Vector128.LessThan(left._v2, right._v2), Vector128.LessThan(left._v3, right._v3));

    public static Simd128 IsNaN(Simd128 value) => new(Vector128.IsNaN(value._v0), Vector128.IsNaN(value._v1), Vector128.IsNaN(value._v2), Vector128.IsNaN(value._v3));

    public static Simd128 Select(Simd128 mask, Simd128 ifSet, Simd128 ifNot) => new(
        Vector128.ConditionalSelect(mask._v0, ifSet._v0, ifNot._v0),
        Vector128.ConditionalSelect(mask._v1, ifSet._v1, ifNot._v1),
        Vector128.ConditionalSelect(mask._v2, ifSet._v2, ifNot._v2),
        Vector128.ConditionalSelect(mask._v3, ifSet._v3, ifNot._v3));

    public static Simd128 SwapNeighbours(Simd128 value) => new(SwapNeighbours(value._v0), SwapNeighbours(value._v1), SwapNeighbours(value._v2), SwapNeighbours(value._v3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unzip(ref Simd128 first, ref Simd128 second)
    {
        Simd128 odds = new(Odds(first._v0, first._v1), Odds(first._v2, first._v3), Odds(second._v0, second._v1), Odds(second._v2, second._v3));
        first = new(Evens(first._v0, first._v1), Evens(first._v2, first._v3), Evens(second._v0, second._v1), Evens(second._v2, second._v3));
        second = odds;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Zip(ref Simd128 first, ref Simd128 second)
    {
        Simd128 upper = new(TurnsLow(first._v2, second._v2), TurnsHigh(first._v2, second._v2), TurnsLow(first._v3, second._v3), TurnsHigh(first._v3, second._v3));
        first = new(TurnsLow(first._v0, second._v0), TurnsHigh(first._v0, second._v0), TurnsLow(first._v1, second._v1), TurnsHigh(first._v1, second._v1));
        second = upper;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int HighBits(Simd128 value) => (int)(value._v0.ExtractMostSignificantBits() | value._v1.ExtractMostSignificantBits() << 4 |
        value._v2.ExtractMostSignificantBits() << 8 | value._v3.ExtractMostSignificantBits() << 12);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 MaskOf(int bits) => new(MaskOfFour(bits), MaskOfFour(bits >> 4), MaskOfFour(bits >> 8), MaskOfFour(bits >> 12));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd128 LoadWords(ushort* source)
    {
        Vector128<ushort> low = Vector128.Load(source), high = Vector128.Load(source + 8);
        return new(
            Vector128.WidenLower(low).AsSingle(), Vector128.WidenUpper(low).AsSingle(), Vector128.WidenLower(high).AsSingle(), Vector128.WidenUpper(high).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd128 LoadShorts(short* source)
    {
        Vector128<short> low = Vector128.Load(source), high = Vector128.Load(source + 8);
        return new(
            Vector128.WidenLower(low).AsSingle(), Vector128.WidenUpper(low).AsSingle(), Vector128.WidenLower(high).AsSingle(), Vector128.WidenUpper(high).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void StoreWords(Simd128 value, ushort* destination)
    {
        Vector128.Narrow(value._v0.AsUInt32(), value._v1.AsUInt32()).Store(destination);
        Vector128.Narrow(value._v2.AsUInt32(), value._v3.AsUInt32()).Store(destination + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumToFour(Simd128 value) => (value._v0 + value._v2) + (value._v1 + value._v3);

    private static Vector128<float> PowerOfTwo(Vector128<float> n) => ((Vector128.ConvertToInt32Native(n) + Vector128.Create(127)) << 23).AsSingle();

    private static Vector128<float> AddBits(Vector128<float> left, Vector128<float> right) => (left.AsInt32() + right.AsInt32()).AsSingle();

    private static Vector128<float> Evens(Vector128<float> left, Vector128<float> right) => Sse.IsSupported ? Sse.Shuffle(left, right, 0x88)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.UnzipEven(left, right)
        : Vector128.Create(left[0], left[2], right[0], right[2]);

    private static Vector128<float> Odds(Vector128<float> left, Vector128<float> right) => Sse.IsSupported ? Sse.Shuffle(left, right, 0xDD)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.UnzipOdd(left, right)
        : Vector128.Create(left[1], left[3], right[1], right[3]);

    private static Vector128<float> TurnsLow(Vector128<float> left, Vector128<float> right) => Sse.IsSupported ? Sse.UnpackLow(left, right)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(left, right)
        : Vector128.Create(left[0], right[0], left[1], right[1]);

    private static Vector128<float> TurnsHigh(Vector128<float> left, Vector128<float> right) => Sse.IsSupported ? Sse.UnpackHigh(left, right)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(left, right)
        : Vector128.Create(left[2], right[2], left[3], right[3]);

    private static Vector128<float> MaskOfFour(int bits)
    {
        Vector128<int> places = Vector128.Create(1, 2, 4, 8);
        return Vector128.Equals(Vector128.Create(bits) & places, places).AsSingle();
    }

    private static Vector128<float> SwapNeighbours(Vector128<float> value) => Vector128.Shuffle(value, Vector128.Create(1, 0, 3, 2));
}
