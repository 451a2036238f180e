using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Storage.Gguf;

/// <summary>
/// Q2_K: 256 values in 84 bytes: 16 bytes with a 4-bit scale and (high half) minimum for each 16 values, 64 bytes of codes, then d and m as F16; value = d scale code - m minimum.
/// Byte 32 h + j of the codes holds values 128 h + 32 k + j in its bit pairs k.
/// </summary>
internal readonly unsafe struct Q2_K : IGgufBlock
{
    public static uint Id => 10;

    public static string Name => "Q2_K";

    public static int Values => GgufCodes.SuperBlock;

    public static int Bytes => 84;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        float scale = GgufCodes.Half(block + 80), minimum = GgufCodes.Half(block + 82);
        for (int group = 0; group < 16; group++)
        {
            // Groups 8 h + 2 k + s: half h, bit pair k, sixteen bytes s.
            Vector128<byte> codes = GgufCodes.TwoBits(Vector128.Load(block + 16 + (group >> 3) * 32 + (group & 1) * 16), group & 6);
            int packed = block[group];
            GgufCodes.Store(codes, TSimd.Broadcast(scale * (packed & 15)), TSimd.Broadcast(-(minimum * (packed >> 4))), values + group * 16);
        }
    }
}

/// <summary>
/// Q3_K: 256 values in 110 bytes: 32 bytes of third bits, 64 bytes of low bit pairs as in <see cref="Q2_K"/>, 12 bytes of sixteen 6-bit scales, d as F16;
/// value = d (scale - 32) (code - 4). Bit k of byte j of the third bits belongs to value 32 k + j.
/// </summary>
internal readonly unsafe struct Q3_K : IGgufBlock
{
    public static uint Id => 11;

    public static string Name => "Q3_K";

    public static int Values => GgufCodes.SuperBlock;

    public static int Bytes => 110;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        float scale = GgufCodes.Half(block + 108);
        for (int group = 0; group < 16; group++)
        {
            int sixteen = (group & 1) * 16;
            Vector128<byte> low = GgufCodes.TwoBits(Vector128.Load(block + 32 + (group >> 3) * 32 + sixteen), group & 6);
            Vector128<byte> third = ((Vector128.Load(block + sixteen) >>> (group >> 1)) & Vector128.Create((byte)1)) << 2;
            GgufCodes.StoreShifted(low | third, 4, TSimd.Broadcast(scale * (Scale(block + 96, group) - 32)), values + group * 16);
        }
    }

    // Low halves: bytes 0 to 7, low half for scales 0 to 7, high half for 8 to 15. Upper bit pairs: bytes 8 to 11, pair i / 4 of byte i % 4.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Scale(byte* scales, int index)
    {
        int low = index < 8 ? scales[index] & 15 : scales[index - 8] >> 4;
        return low | (scales[8 + (index & 3)] >> ((index >> 2) * 2) & 3) << 4;
    }
}
