using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Storage.Gguf;

/// <summary>
/// Q4_0: 32 values in 18 bytes: scale d as F16, then 16 bytes whose low halves are the codes of values 0 to 15 and whose high halves those of 16 to 31; value = d (code - 8).
/// </summary>
internal readonly unsafe struct Q4_0 : IGgufBlock
{
    public static uint Id => 2;

    public static string Name => "Q4_0";

    public static int Values => 32;

    public static int Bytes => 18;

    public static bool CanEncode => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd scale = TSimd.Broadcast(GgufCodes.Half(block));
        Vector128<byte> packed = Vector128.Load(block + 2);
        GgufCodes.StoreShifted(GgufCodes.Low(packed), 8, scale, values);
        GgufCodes.StoreShifted(GgufCodes.High(packed), 8, scale, values + 16);
    }

    // The scale maps the value of largest magnitude, with its sign, to code 0, which stands for -8.
    public static void Encode(float* values, byte* block)
    {
        float largest = 0f;
        for (int i = 0; i < 32; i++)
        {
            if (MathF.Abs(values[i]) > MathF.Abs(largest)) largest = values[i];
        }

        float scale = largest / -8f;
        float inverse = scale == 0f ? 0f : 1f / scale;
        GgufCodes.WriteHalf(scale, block);
        for (int i = 0; i < 16; i++) block[2 + i] = (byte)(Code(values[i]) | Code(values[i + 16]) << 4);

        int Code(float value) => Math.Min(15, (int)(value * inverse + 8.5f));
    }
}

/// <summary>Q4_1: 32 values in 20 bytes: scale d and minimum m as F16, then codes as in <see cref="Q4_0"/>; value = d code + m.</summary>
internal readonly unsafe struct Q4_1 : IGgufBlock
{
    public static uint Id => 3;

    public static string Name => "Q4_1";

    public static int Values => 32;

    public static int Bytes => 20;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd scale = TSimd.Broadcast(GgufCodes.Half(block)), minimum = TSimd.Broadcast(GgufCodes.Half(block + 2));
        Vector128<byte> packed = Vector128.Load(block + 4);
        GgufCodes.Store(GgufCodes.Low(packed), scale, minimum, values);
        GgufCodes.Store(GgufCodes.High(packed), scale, minimum, values + 16);
    }
}
