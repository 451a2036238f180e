using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>A register of 16-bit integers, or half as many 32-bit sums of their products.</summary>
/// <typeparam name="TSelf">The implementation.</typeparam>
internal unsafe interface IShortLanes<TSelf>
    where TSelf : struct, IShortLanes<TSelf>
{
    /// <summary>Integers in the register; divides 32.</summary>
    static abstract int Count { get; }

    static abstract TSelf Zero { get; }

    static abstract TSelf Load(short* source);

    /// <summary>As many bytes as integers of 16 bits.</summary>
    static abstract TSelf Widen(sbyte* source);

    /// <summary>Adds two products to each sum. By reference, because the compiler then keeps the sum in its register instead of moving it at every step.</summary>
    static abstract void Accumulate(ref TSelf sum, TSelf a, TSelf b);

    /// <summary>All sums of each.</summary>
    static abstract Vector128<int> Total(TSelf a, TSelf b, TSelf c, TSelf d);
}

/// <summary>In 512 bits.</summary>
internal readonly unsafe struct Shorts512(Vector512<short> value) : IShortLanes<Shorts512>
{
    private readonly Vector512<short> _value = value;

    public static int Count => Vector512<short>.Count;

    public static Shorts512 Zero => new(Vector512<short>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts512 Load(short* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts512 Widen(sbyte* source) => new(Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Shorts512 sum, Shorts512 a, Shorts512 b) => sum = new((sum._value.AsInt32() + IntegerProducts.OfShorts(a._value, b._value)).AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Total(Shorts512 a, Shorts512 b, Shorts512 c, Shorts512 d) => IntegerProducts.Totals(a.Half, b.Half, c.Half, d.Half);

    private Vector256<int> Half
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _value.GetLower().AsInt32() + _value.GetUpper().AsInt32();
    }
}

/// <summary>In 256 bits.</summary>
internal readonly unsafe struct Shorts256(Vector256<short> value) : IShortLanes<Shorts256>
{
    private readonly Vector256<short> _value = value;

    public static int Count => Vector256<short>.Count;

    public static Shorts256 Zero => new(Vector256<short>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts256 Load(short* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts256 Widen(sbyte* source) => new(Vector256.WidenLower(Vector128.Load(source).ToVector256Unsafe()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Shorts256 sum, Shorts256 a, Shorts256 b) => sum = new(IntegerProducts.AddTwo(sum._value.AsInt32(), a._value, b._value).AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Total(Shorts256 a, Shorts256 b, Shorts256 c, Shorts256 d) => IntegerProducts.Totals(a._value.AsInt32(), b._value.AsInt32(), c._value.AsInt32(), d._value.AsInt32());
}

/// <summary>In 128 bits.</summary>
internal readonly unsafe struct Shorts128(Vector128<short> value) : IShortLanes<Shorts128>
{
    private readonly Vector128<short> _value = value;

    public static int Count => Vector128<short>.Count;

    public static Shorts128 Zero => new(Vector128<short>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts128 Load(short* source) => new(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Shorts128 Widen(sbyte* source) => new(Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<long>(source)).AsSByte()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Shorts128 sum, Shorts128 a, Shorts128 b) => sum = new((sum._value.AsInt32() + IntegerProducts.OfShorts(a._value, b._value)).AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Total(Shorts128 a, Shorts128 b, Shorts128 c, Shorts128 d) =>
        IntegerProducts.Totals(a._value.AsInt32(), b._value.AsInt32(), c._value.AsInt32(), d._value.AsInt32());
}

/// <summary>One by one.</summary>
internal readonly unsafe struct ShortsScalar(int value) : IShortLanes<ShortsScalar>
{
    private readonly int _value = value;

    public static int Count => 1;

    public static ShortsScalar Zero => default;

    public static ShortsScalar Load(short* source) => new(*source);

    public static ShortsScalar Widen(sbyte* source) => new(*source);

    public static void Accumulate(ref ShortsScalar sum, ShortsScalar a, ShortsScalar b) => sum = new(sum._value + a._value * b._value);

    public static Vector128<int> Total(ShortsScalar a, ShortsScalar b, ShortsScalar c, ShortsScalar d) => Vector128.Create(a._value, b._value, c._value, d._value);
}
