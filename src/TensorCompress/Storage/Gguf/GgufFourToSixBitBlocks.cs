using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Storage.Gguf;

/// <summary>
/// Q4_K: 256 values in 144 bytes: d and m as F16, 12 bytes with a 6-bit scale and minimum for each 32 values, 128 bytes of codes; value = d scale code - m minimum.
/// Byte 32 p + j of the codes holds value 64 p + j in its low and 64 p + 32 + j in its high half.
/// </summary>
internal readonly unsafe struct Q4_K : IGgufBlock
{
    public static uint Id => 12;

    public static string Name => "Q4_K";

    public static int Values => GgufCodes.SuperBlock;

    public static int Bytes => 144;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        for (int pair = 0; pair < 4; pair++)
        {
            (TSimd lowScale, TSimd lowMinimum) = SuperBlockScales.Of<TSimd>(block, 2 * pair);
            (TSimd highScale, TSimd highMinimum) = SuperBlockScales.Of<TSimd>(block, 2 * pair + 1);
            for (int sixteen = 0; sixteen < 32; sixteen += 16)
            {
                Vector128<byte> packed = Vector128.Load(block + 16 + 32 * pair + sixteen);
                float* destination = values + 64 * pair + sixteen;
                GgufCodes.Store(GgufCodes.Low(packed), lowScale, lowMinimum, destination);
                GgufCodes.Store(GgufCodes.High(packed), highScale, highMinimum, destination + 32);
            }
        }
    }
}

/// <summary>Q5_K: 256 values in 176 bytes: <see cref="Q4_K"/> with 32 bytes of fifth bits before the low halves; bit k of byte j belongs to value 32 k + j.</summary>
internal readonly unsafe struct Q5_K : IGgufBlock
{
    public static uint Id => 13;

    public static string Name => "Q5_K";

    public static int Values => GgufCodes.SuperBlock;

    public static int Bytes => 176;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        for (int pair = 0; pair < 4; pair++)
        {
            (TSimd lowScale, TSimd lowMinimum) = SuperBlockScales.Of<TSimd>(block, 2 * pair);
            (TSimd highScale, TSimd highMinimum) = SuperBlockScales.Of<TSimd>(block, 2 * pair + 1);
            for (int sixteen = 0; sixteen < 32; sixteen += 16)
            {
                Vector128<byte> packed = Vector128.Load(block + 48 + 32 * pair + sixteen);
                Vector128<byte> fifth = GgufCodes.TwoBits(Vector128.Load(block + 16 + sixteen), 2 * pair);
                float* destination = values + 64 * pair + sixteen;
                GgufCodes.Store(GgufCodes.Low(packed) | (fifth & Vector128<byte>.One) << 4, lowScale, lowMinimum, destination);
                GgufCodes.Store(GgufCodes.High(packed) | (fifth >>> 1) << 4, highScale, highMinimum, destination + 32);
            }
        }
    }
}

/// <summary>
/// Q6_K: 256 values in 210 bytes: 128 bytes of low halves, 64 bytes of upper bit pairs, 16 signed scales, one for each 16 values, d as F16; value = (d scale) (code - 32).
/// In each half of 128 values, value 32 k + j has its low four bits in byte j + 32 (k % 2), half k / 2, and its upper two in byte j, pair k.
/// </summary>
internal readonly unsafe struct Q6_K : IGgufBlock
{
    public static uint Id => 14;

    public static string Name => "Q6_K";

    public static int Values => GgufCodes.SuperBlock;

    public static int Bytes => 210;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        float scale = GgufCodes.Half(block + 208);
        var scales = (sbyte*)(block + 192);
        for (int half = 0; half < 2; half++)
        {
            for (int sixteen = 0; sixteen < 2; sixteen++)
            {
                byte* low = block + 64 * half + 16 * sixteen;
                Vector128<byte> first = Vector128.Load(low), second = Vector128.Load(low + 32), upper = Vector128.Load(block + 128 + 32 * half + 16 * sixteen);
                sbyte* own = scales + 8 * half + sixteen;
                float* destination = values + 128 * half + 16 * sixteen;
                GgufCodes.StoreShifted(GgufCodes.Low(first) | GgufCodes.TwoBits(upper, 0) << 4, 32, TSimd.Broadcast(scale * own[0]), destination);
                GgufCodes.StoreShifted(GgufCodes.Low(second) | GgufCodes.TwoBits(upper, 2) << 4, 32, TSimd.Broadcast(scale * own[2]), destination + 32);
                GgufCodes.StoreShifted(GgufCodes.High(first) | GgufCodes.TwoBits(upper, 4) << 4, 32, TSimd.Broadcast(scale * own[4]), destination + 64);
                GgufCodes.StoreShifted(GgufCodes.High(second) | GgufCodes.TwoBits(upper, 6) << 4, 32, TSimd.Broadcast(scale * own[6]), destination + 96);
            }
        }
    }
}

/// <summary>
/// The head of a <see cref="Q4_K"/> or <see cref="Q5_K"/> block: d, m, and eight pairs of 6-bit scales and minima in 12 bytes. Pairs 0 to 3 are the low six bits of bytes i and i + 4;
/// pairs 4 to 7 have their low halves in byte i + 4 and their upper two bits in the upper bits of bytes i - 4 and i.
/// </summary>
internal static unsafe class SuperBlockScales
{
    /// <summary>d scale and -(m minimum) of a group of 32 values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (TSimd Scale, TSimd Minimum) Of<TSimd>(byte* block, int group)
        where TSimd : struct, ISimd<TSimd>
    {
        byte* packed = block + 4;
        int scale = group < 4 ? packed[group] & 63 : (packed[group + 4] & 15) | packed[group - 4] >> 6 << 4;
        int minimum = group < 4 ? packed[group + 4] & 63 : packed[group + 4] >> 4 | packed[group] >> 6 << 4;
        return (TSimd.Broadcast(GgufCodes.Half(block) * scale), TSimd.Broadcast(-(GgufCodes.Half(block + 2) * minimum)));
    }
}
