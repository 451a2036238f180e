using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>Thirty-two bytes: four vectors of eight magnitudes, signs and activations of four words, or eight 32-bit sums.</summary>
/// <typeparam name="TSelf">The implementation.</typeparam>
internal unsafe interface IWordLanes<TSelf>
    where TSelf : struct, IWordLanes<TSelf>
{
    static abstract TSelf Zero { get; }

    static abstract TSelf Load(void* source);

    /// <summary>Stores unsigned bytes as 16-bit numbers, negated where all bits are set.</summary>
    static abstract void StoreSigned(TSelf bytes, TSelf where, short* destination);

    /// <summary>Eight bytes from each of four places.</summary>
    static abstract TSelf Gather(byte* a, byte* b, byte* c, byte* d);

    /// <summary>Of sixteen bytes the ones with these numbers; 0 where the number is 128.</summary>
    static abstract TSelf Spread(byte* source, TSelf numbers);

    /// <summary>The same of the first eight, shifted down by four bits as one number.</summary>
    static abstract TSelf SpreadShifted(byte* source, TSelf numbers);

    static abstract TSelf Or(TSelf a, TSelf b);

    /// <summary>All bits of the bytes that have the chosen bit, none of the others.</summary>
    static abstract TSelf Has(TSelf bytes, TSelf bit);

    /// <summary>Bytes 2p and 2p + 1 exchanged, but where they stay.</summary>
    static abstract TSelf Exchange(TSelf bytes, TSelf stays);

    /// <summary>Signed bytes negated where all bits are set.</summary>
    static abstract TSelf Negate(TSelf bytes, TSelf where);

    /// <summary>Adds products of unsigned bytes and signed ones to 32-bit sums; two neighbouring ones fit into 16 bits.</summary>
    static abstract TSelf AddProducts(TSelf sums, TSelf magnitudes, TSelf activations);

    /// <summary>All sums of each.</summary>
    static abstract Vector128<int> Total(TSelf a, TSelf b, TSelf c, TSelf d);
}

/// <summary>In one vector.</summary>
internal readonly unsafe struct Words256(Vector256<byte> value) : IWordLanes<Words256>
{
    private readonly Vector256<byte> _value = value;

    public static Words256 Zero => new(Vector256<byte>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words256 Load(void* source) => new(Vector256.Load((byte*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSigned(Words256 bytes, Words256 where, short* destination)
    {
        (Vector256<ushort> low, Vector256<ushort> high) = Vector256.Widen(bytes._value);
        (Vector256<short> lowSigns, Vector256<short> highSigns) = Vector256.Widen(where._value.AsSByte());
        ((low.AsInt16() ^ lowSigns) - lowSigns).Store(destination);
        ((high.AsInt16() ^ highSigns) - highSigns).Store(destination + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words256 Gather(byte* a, byte* b, byte* c, byte* d) =>
        new(Vector256.Create(Vector128.Create(Unsafe.ReadUnaligned<ulong>(a), Unsafe.ReadUnaligned<ulong>(b)), Vector128.Create(Unsafe.ReadUnaligned<ulong>(c), Unsafe.ReadUnaligned<ulong>(d))).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words256 Spread(byte* source, Words256 numbers) =>
        new(Lookup256.Find(Avx2.IsSupported ? Avx2.BroadcastVector128ToVector256(source) : Vector256.Create(Vector128.Load(source), Vector128.Load(source)), numbers._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words256 SpreadShifted(byte* source, Words256 numbers) => new(Lookup256.Find(Vector256.Create(Unsafe.ReadUnaligned<ulong>(source) >> 4).AsByte(), numbers._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words256 Or(Words256 a, Words256 b) => new(a._value | b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words256 Has(Words256 bytes, Words256 bit) => new(Vector256.Equals(bytes._value & bit._value, bit._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words256 Exchange(Words256 bytes, Words256 stays)
    {
        Vector256<byte> exchanged = ((bytes._value.AsUInt16() << 8) | (bytes._value.AsUInt16() >>> 8)).AsByte();
        return new(Avx2.IsSupported ? Avx2.BlendVariable(exchanged, bytes._value, stays._value) : Vector256.ConditionalSelect(stays._value, bytes._value, exchanged));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words256 Negate(Words256 bytes, Words256 where) => new((bytes._value ^ where._value) - where._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words256 AddProducts(Words256 sums, Words256 magnitudes, Words256 activations) =>
        new((sums._value.AsInt32() + IntegerProducts.OfShorts(IntegerProducts.OfBytes(magnitudes._value, activations._value.AsSByte()), Vector256.Create((short)1))).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Total(Words256 a, Words256 b, Words256 c, Words256 d) => IntegerProducts.Totals(a._value.AsInt32(), b._value.AsInt32(), c._value.AsInt32(), d._value.AsInt32());
}

/// <summary>In two vectors.</summary>
internal readonly unsafe struct Words128(Vector128<byte> low, Vector128<byte> high) : IWordLanes<Words128>
{
    private readonly Vector128<byte> _low = low, _high = high;

    public static Words128 Zero => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 Load(void* source) => new(Vector128.Load((byte*)source), Vector128.Load((byte*)source + 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSigned(Words128 bytes, Words128 where, short* destination)
    {
        Half(bytes._low, where._low, destination);
        Half(bytes._high, where._high, destination + 16);

        static void Half(Vector128<byte> bytes, Vector128<byte> where, short* destination)
        {
            (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(bytes);
            (Vector128<short> lowSigns, Vector128<short> highSigns) = Vector128.Widen(where.AsSByte());
            ((low.AsInt16() ^ lowSigns) - lowSigns).Store(destination);
            ((high.AsInt16() ^ highSigns) - highSigns).Store(destination + 8);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 Gather(byte* a, byte* b, byte* c, byte* d) => new(
        Vector128.Create(Unsafe.ReadUnaligned<ulong>(a), Unsafe.ReadUnaligned<ulong>(b)).AsByte(), Vector128.Create(Unsafe.ReadUnaligned<ulong>(c), Unsafe.ReadUnaligned<ulong>(d)).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 Spread(byte* source, Words128 numbers) => Find(Vector128.Load(source), numbers);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 SpreadShifted(byte* source, Words128 numbers) => Find(Vector128.Create(Unsafe.ReadUnaligned<ulong>(source) >> 4).AsByte(), numbers);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 Or(Words128 a, Words128 b) => new(a._low | b._low, a._high | b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 Has(Words128 bytes, Words128 bit) => new(Vector128.Equals(bytes._low & bit._low, bit._low), Vector128.Equals(bytes._high & bit._high, bit._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 Exchange(Words128 bytes, Words128 stays)
    {
        return new(Half(bytes._low, stays._low), Half(bytes._high, stays._high));

        static Vector128<byte> Half(Vector128<byte> bytes, Vector128<byte> stays) =>
            Vector128.ConditionalSelect(stays, bytes, ((bytes.AsUInt16() << 8) | (bytes.AsUInt16() >>> 8)).AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 Negate(Words128 bytes, Words128 where) => new((bytes._low ^ where._low) - where._low, (bytes._high ^ where._high) - where._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Words128 AddProducts(Words128 sums, Words128 magnitudes, Words128 activations)
    {
        Vector128<short> ones = Vector128.Create((short)1);
        return new(
            (sums._low.AsInt32() + IntegerProducts.OfShorts(IntegerProducts.OfBytes(magnitudes._low, activations._low.AsSByte()), ones)).AsByte(),
            (sums._high.AsInt32() + IntegerProducts.OfShorts(IntegerProducts.OfBytes(magnitudes._high, activations._high.AsSByte()), ones)).AsByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Total(Words128 a, Words128 b, Words128 c, Words128 d) => IntegerProducts.Totals(a.Sums, b.Sums, c.Sums, d.Sums);

    private Vector128<int> Sums
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _low.AsInt32() + _high.AsInt32();
    }

    // ShuffleNative finds 0 for 128 on every platform.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Words128 Find(Vector128<byte> bytes, Words128 numbers) => new(Vector128.ShuffleNative(bytes, numbers._low), Vector128.ShuffleNative(bytes, numbers._high));
}
