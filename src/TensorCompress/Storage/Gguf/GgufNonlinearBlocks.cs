using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Storage.Gguf;

/// <summary>IQ4_NL: as <see cref="Q4_0"/>, but codes are indexes of sixteen unevenly spaced levels; value = d level.</summary>
internal readonly unsafe struct IQ4_NL : IGgufBlock
{
    public static uint Id => 20;

    public static string Name => "IQ4_NL";

    public static int Values => 32;

    public static int Bytes => 18;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd> => NonlinearLevels.Store(Vector128.Load(block + 2), TSimd.Broadcast(GgufCodes.Half(block)), values);
}

/// <summary>
/// IQ4_XS: 256 values in 136 bytes: d as F16, upper bit pairs of eight 6-bit scales in 2 bytes, their low halves in 4, then eight times 16 bytes of codes as in <see cref="IQ4_NL"/>;
/// value = d (scale - 32) level.
/// </summary>
internal readonly unsafe struct IQ4_XS : IGgufBlock
{
    public static uint Id => 23;

    public static string Name => "IQ4_XS";

    public static int Values => GgufCodes.SuperBlock;

    public static int Bytes => 136;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        float scale = GgufCodes.Half(block);
        int upper = Unsafe.ReadUnaligned<ushort>(block + 2);
        for (int group = 0; group < 8; group++)
        {
            int own = (block[4 + group / 2] >> (4 * (group & 1)) & 15) | (upper >> (2 * group) & 3) << 4;
            NonlinearLevels.Store(Vector128.Load(block + 8 + 16 * group), TSimd.Broadcast(scale * (own - 32)), values + 32 * group);
        }
    }
}

internal static unsafe class NonlinearLevels
{
    /// <summary>32 values of 16 bytes of codes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TSimd>(Vector128<byte> packed, TSimd scale, float* destination)
        where TSimd : struct, ISimd<TSimd>
    {
        Vector128<sbyte> levels = Vector128.Create(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
        GgufCodes.Store(Vector128.ShuffleNative(levels, GgufCodes.Low(packed).AsSByte()), scale, destination);
        GgufCodes.Store(Vector128.ShuffleNative(levels, GgufCodes.High(packed).AsSByte()), scale, destination + 16);
    }
}
