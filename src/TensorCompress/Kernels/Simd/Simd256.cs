using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes in two 256-bit vectors.</summary>
internal struct Simd256(Vector256<float> low, Vector256<float> high) : ISimd<Simd256>
{
    private Vector256<float> _low = low;
    private Vector256<float> _high = high;

    public static Simd256 Zero => new(Vector256<float>.Zero, Vector256<float>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Broadcast(float value) => new(Vector256.Create(value), Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd256 BroadcastFrom(float* source)
    {
        Vector256<float> value = Avx.IsSupported ? Avx.BroadcastScalarToVector256(source) : Vector256.Create(*source);
        return new(value, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd256 Load(float* source) => new(Vector256.Load(source), Vector256.Load(source + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store(Simd256 value, float* destination)
    {
        value._low.Store(destination);
        value._high.Store(destination + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 FromSigned(Vector128<sbyte> values)
    {
        (Vector256<int> low, Vector256<int> high) = Vector256.Widen(Vector256.WidenLower(values.ToVector256Unsafe()));
        return new(Vector256.ConvertToSingle(low), Vector256.ConvertToSingle(high));
    }

    public static Simd256 operator +(Simd256 left, Simd256 right) => new(left._low + right._low, left._high + right._high);

    public static Simd256 operator -(Simd256 left, Simd256 right) => new(left._low - right._low, left._high - right._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 operator *(Simd256 left, Simd256 right) => new(left._low * right._low, left._high * right._high);

    public static Simd256 operator /(Simd256 left, Simd256 right) => new(left._low / right._low, left._high / right._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 MultiplyAdd(Simd256 a, Simd256 b, Simd256 c) => new(
        Vector256.MultiplyAddEstimate(a._low, b._low, c._low), Vector256.MultiplyAddEstimate(a._high, b._high, c._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Simd256 sum, Simd256 a, Simd256 b)
    {
        sum._low = Vector256.MultiplyAddEstimate(a._low, b._low, sum._low);
        sum._high = Vector256.MultiplyAddEstimate(a._high, b._high, sum._high);
    }

    public static Simd256 Max(Simd256 left, Simd256 right) => new(Vector256.Max(left._low, right._low), Vector256.Max(left._high, right._high));

    public static Simd256 Min(Simd256 left, Simd256 right) => new(Vector256.Min(left._low, right._low), Vector256.Min(left._high, right._high));

    public static Simd256 Round(Simd256 value) => new(Vector256.Round(value._low), Vector256.Round(value._high));

    public static Simd256 PowerOfTwo(Simd256 n) => new(PowerOfTwo(n._low), PowerOfTwo(n._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 operator &(Simd256 left, Simd256 right) => new(left._low & right._low, left._high & right._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 operator |(Simd256 left, Simd256 right) => new(left._low | right._low, left._high | right._high);

    public static Simd256 AddBits(Simd256 left, Simd256 right) => new((left._low.AsInt32() + right._low.AsInt32()).AsSingle(), (left._high.AsInt32() + right._high.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 ShiftLeft(Simd256 value, int count) => new((value._low.AsUInt32() << count).AsSingle(), (value._high.AsUInt32() << count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 ShiftRight(Simd256 value, int count) => new((value._low.AsUInt32() >>> count).AsSingle(), (value._high.AsUInt32() >>> count).AsSingle());

    public static Simd256 LessThan(Simd256 left, Simd256 right) => new(Vector256.LessThan(left._low, right._low), Vector256.LessThan(left._high, right._high));

    public static Simd256 IsNaN(Simd256 value) => new(Vector256.IsNaN(value._low), Vector256.IsNaN(value._high));

    public static Simd256 Select(Simd256 mask, Simd256 ifSet, Simd256 ifNot) =>
        new(Vector256.ConditionalSelect(mask._low, ifSet._low, ifNot._low), Vector256.ConditionalSelect(mask._high, ifSet._high, ifNot._high));

    public static Simd256 SwapNeighbours(Simd256 value) => new(SwapNeighbours(value._low), SwapNeighbours(value._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unzip(ref Simd256 first, ref Simd256 second)
    {
        (Vector256<float> evens, Vector256<float> odds) = (Evens(first._low, first._high), Odds(first._low, first._high));
        first = new(evens, Evens(second._low, second._high));
        second = new(odds, Odds(second._low, second._high));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Zip(ref Simd256 first, ref Simd256 second)
    {
        (Vector256<float> low, Vector256<float> high) = (first._high, second._high);
        first = new(Turns(first._low.GetLower(), second._low.GetLower()), Turns(first._low.GetUpper(), second._low.GetUpper()));
        second = new(Turns(low.GetLower(), high.GetLower()), Turns(low.GetUpper(), high.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int HighBits(Simd256 value) => (int)(value._low.ExtractMostSignificantBits() | value._high.ExtractMostSignificantBits() << 8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 MaskOf(int bits)
    {
        Vector256<int> places = Vector256.Create(1, 2, 4, 8, 16, 32, 64, 128);
        return new(Vector256.Equals(Vector256.Create(bits) & places, places).AsSingle(), Vector256.Equals(Vector256.Create(bits >> 8) & places, places).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd256 LoadWords(ushort* source) => new(
        Vector256.WidenLower(Vector128.Load(source).ToVector256Unsafe()).AsSingle(), Vector256.WidenLower(Vector128.Load(source + 8).ToVector256Unsafe()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Simd256 LoadShorts(short* source) => new(
        Vector256.WidenLower(Vector128.Load(source).ToVector256Unsafe()).AsSingle(), Vector256.WidenLower(Vector128.Load(source + 8).ToVector256Unsafe()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void StoreWords(Simd256 value, ushort* destination) => Vector256.Narrow(value._low.AsUInt32(), value._high.AsUInt32()).Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumToFour(Simd256 value)
    {
        Vector256<float> eight = value._low + value._high;
        return eight.GetLower() + eight.GetUpper();
    }

    private static Vector256<float> PowerOfTwo(Vector256<float> n) => ((Vector256.ConvertToInt32Native(n) + Vector256.Create(127)) << 23).AsSingle();

    private static Vector256<float> Evens(Vector256<float> left, Vector256<float> right)
    {
        if (Avx2.IsSupported) return Avx2.Permute4x64(Avx.Shuffle(left, right, 0x88).AsDouble(), 0xD8).AsSingle();
        Vector256<int> lanes = Vector256.Create(0, 2, 4, 6, 1, 3, 5, 7);
        return Vector256.Create(Vector256.Shuffle(left, lanes).GetLower(), Vector256.Shuffle(right, lanes).GetLower());
    }

    private static Vector256<float> Odds(Vector256<float> left, Vector256<float> right)
    {
        if (Avx2.IsSupported) return Avx2.Permute4x64(Avx.Shuffle(left, right, 0xDD).AsDouble(), 0xD8).AsSingle();
        Vector256<int> lanes = Vector256.Create(1, 3, 5, 7, 0, 2, 4, 6);
        return Vector256.Create(Vector256.Shuffle(left, lanes).GetLower(), Vector256.Shuffle(right, lanes).GetLower());
    }

    // Of four lanes each, lanes in turn.
    private static Vector256<float> Turns(Vector128<float> left, Vector128<float> right)
    {
        if (Sse.IsSupported) return Vector256.Create(Sse.UnpackLow(left, right), Sse.UnpackHigh(left, right));
        return Vector256.Shuffle(Vector256.Create(left, right), Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7));
    }

    private static Vector256<float> SwapNeighbours(Vector256<float> value) => Vector256.Shuffle(value, Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6));
}
