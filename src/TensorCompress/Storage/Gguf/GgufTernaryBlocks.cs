using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Storage.Gguf;

/// <summary>
/// TQ1_0: 256 ternary values in 54 bytes: 48 bytes of five digits, 4 bytes of four, d as F16; value = d (digit - 1). A byte is the digits as a fraction of 3^5 in 256ths, rounded up:
/// digit n is the whole part of 3 times the fraction of 3^n bytes.
/// </summary>
internal readonly unsafe struct TQ1_0 : IGgufBlock
{
    public static uint Id => 34;

    public static string Name => "TQ1_0";

    public static int Values => GgufCodes.SuperBlock;

    public static int Bytes => 54;

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd scale = TSimd.Broadcast(GgufCodes.Half(block + 52));
        Vector128<byte> first = Vector128.Load(block), second = Vector128.Load(block + 16), third = Vector128.Load(block + 32);
        for (int digit = 0; digit < 5; digit++)
        {
            // Values 32 n + j of the first 160 are digits n of bytes j below 32; 160 + 16 n + j digits n of bytes 32 + j.
            GgufCodes.Store(Digit(first), scale, values + 32 * digit);
            GgufCodes.Store(Digit(second), scale, values + 32 * digit + 16);
            GgufCodes.Store(Digit(third), scale, values + 160 + 16 * digit);
            (first, second, third) = (TimesThree(first), TimesThree(second), TimesThree(third));
        }

        // The last 16: digits 0 to 3 of four bytes.
        Vector128<byte> last = Vector128.CreateScalar(Unsafe.ReadUnaligned<uint>(block + 48)).AsByte();
        Vector128<uint> digits = Vector128<uint>.Zero;
        for (int digit = 0; digit < 4; digit++)
        {
            digits = digits.WithElement(digit, Digit(last).AsUInt32()[0]);
            last = TimesThree(last);
        }

        GgufCodes.Store(digits.AsSByte(), scale, values + 240);
    }

    // The whole part of 3 b / 256 is the number of thresholds 86 and 171 that b reaches; less one it is the value.
    private static Vector128<sbyte> Digit(Vector128<byte> bytes)
    {
        Vector128<byte> reached = Vector128.GreaterThanOrEqual(bytes, Vector128.Create((byte)86)) + Vector128.GreaterThanOrEqual(bytes, Vector128.Create((byte)171));
        return -reached.AsSByte() - Vector128<sbyte>.One;
    }

    private static Vector128<byte> TimesThree(Vector128<byte> bytes) => bytes + bytes + bytes;
}

/// <summary>TQ2_0: 256 ternary values in 66 bytes: 64 bytes of codes, d as F16; value = d (code - 1). Byte 32 h + j holds values 128 h + 32 k + j in its bit pairs k.</summary>
internal readonly unsafe struct TQ2_0 : IGgufBlock
{
    public static uint Id => 35;

    public static string Name => "TQ2_0";

    public static int Values => GgufCodes.SuperBlock;

    public static int Bytes => 66;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd scale = TSimd.Broadcast(GgufCodes.Half(block + 64));
        for (int group = 0; group < 16; group++)
        {
            Vector128<byte> codes = GgufCodes.TwoBits(Vector128.Load(block + (group >> 3) * 32 + (group & 1) * 16), group & 6);
            GgufCodes.StoreShifted(codes, 1, scale, values + 16 * group);
        }
    }
}
