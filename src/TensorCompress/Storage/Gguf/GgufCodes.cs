using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Storage.Gguf;

/// <summary>What the blocks share: sixteen codes become sixteen floats.</summary>
internal static unsafe class GgufCodes
{
    /// <summary>The values of a super-block of the K types.</summary>
    public const int SuperBlock = 256;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Half(byte* source) => (float)BitConverter.UInt16BitsToHalf(Unsafe.ReadUnaligned<ushort>(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WriteHalf(float value, byte* destination) => Unsafe.WriteUnaligned(destination, BitConverter.HalfToUInt16Bits((Half)value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Low(Vector128<byte> packed) => packed & Vector128.Create((byte)0x0F);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> High(Vector128<byte> packed) => packed >>> 4;

    /// <summary>Two bits of every byte, from a bit on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> TwoBits(Vector128<byte> packed, int firstBit) => (packed >>> firstBit) & Vector128.Create((byte)3);

    /// <summary>16 consecutive bits as bytes: a value where the bit is set, 0 elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Spread(uint bits, byte value)
    {
        Vector128<byte> mask = Vector128.Create(0x8040_2010_0804_0201UL).AsByte();
        Vector128<byte> bytes = Vector128.Create((ulong)(byte)bits * 0x0101_0101_0101_0101, (ulong)(byte)(bits >> 8) * 0x0101_0101_0101_0101).AsByte();
        return Vector128.Equals(bytes & mask, mask) & Vector128.Create(value);
    }

    /// <summary>scale * code.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TSimd>(Vector128<sbyte> codes, TSimd scale, float* destination)
        where TSimd : struct, ISimd<TSimd> => TSimd.Store(TSimd.FromSigned(codes) * scale, destination);

    /// <summary>scale * code + minimum, each operation rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TSimd>(Vector128<byte> codes, TSimd scale, TSimd minimum, float* destination)
        where TSimd : struct, ISimd<TSimd> => TSimd.Store(TSimd.FromSigned(codes.AsSByte()) * scale + minimum, destination);

    /// <summary>scale * (code - offset).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreShifted<TSimd>(Vector128<byte> codes, byte offset, TSimd scale, float* destination)
        where TSimd : struct, ISimd<TSimd> => Store((codes - Vector128.Create(offset)).AsSByte(), scale, destination);
}
