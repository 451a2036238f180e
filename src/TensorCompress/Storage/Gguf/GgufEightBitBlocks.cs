using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Storage.Gguf;

/// <summary>Q8_0: 32 values in 34 bytes: scale d as F16, then 32 signed codes; value = d code.</summary>
internal readonly unsafe struct Q8_0 : IGgufBlock
{
    public static uint Id => 8;

    public static string Name => "Q8_0";

    public static int Values => 32;

    public static int Bytes => 34;

    public static bool CanEncode => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd scale = TSimd.Broadcast(GgufCodes.Half(block));
        GgufCodes.Store(Vector128.Load((sbyte*)(block + 2)), scale, values);
        GgufCodes.Store(Vector128.Load((sbyte*)(block + 18)), scale, values + 16);
    }

    public static void Encode(float* values, byte* block)
    {
        float largest = 0f;
        for (int i = 0; i < 32; i++) largest = MathF.Max(largest, MathF.Abs(values[i]));
        float scale = largest / 127f;
        float inverse = scale == 0f ? 0f : 1f / scale;
        GgufCodes.WriteHalf(scale, block);
        for (int i = 0; i < 32; i++) block[2 + i] = (byte)(sbyte)MathF.Round(values[i] * inverse, MidpointRounding.AwayFromZero);
    }
}
