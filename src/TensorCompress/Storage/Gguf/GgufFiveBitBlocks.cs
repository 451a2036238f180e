using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Storage.Gguf;

/// <summary>Q5_0: 32 values in 22 bytes: scale d as F16, 32 fifth bits in order, then low halves as in <see cref="Q4_0"/>; value = d (code - 16).</summary>
internal readonly unsafe struct Q5_0 : IGgufBlock
{
    public static uint Id => 6;

    public static string Name => "Q5_0";

    public static int Values => 32;

    public static int Bytes => 22;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd scale = TSimd.Broadcast(GgufCodes.Half(block));
        uint fifth = Unsafe.ReadUnaligned<uint>(block + 2);
        Vector128<byte> packed = Vector128.Load(block + 6);
        GgufCodes.StoreShifted(GgufCodes.Low(packed) | GgufCodes.Spread(fifth, 16), 16, scale, values);
        GgufCodes.StoreShifted(GgufCodes.High(packed) | GgufCodes.Spread(fifth >> 16, 16), 16, scale, values + 16);
    }
}

/// <summary>Q5_1: 32 values in 24 bytes: scale d and minimum m as F16, then codes as in <see cref="Q5_0"/>; value = d code + m.</summary>
internal readonly unsafe struct Q5_1 : IGgufBlock
{
    public static uint Id => 7;

    public static string Name => "Q5_1";

    public static int Values => 32;

    public static int Bytes => 24;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd scale = TSimd.Broadcast(GgufCodes.Half(block)), minimum = TSimd.Broadcast(GgufCodes.Half(block + 2));
        uint fifth = Unsafe.ReadUnaligned<uint>(block + 4);
        Vector128<byte> packed = Vector128.Load(block + 8);
        GgufCodes.Store(GgufCodes.Low(packed) | GgufCodes.Spread(fifth, 16), scale, minimum, values);
        GgufCodes.Store(GgufCodes.High(packed) | GgufCodes.Spread(fifth >> 16, 16), scale, minimum, values + 16);
    }
}
