using System.Runtime.CompilerServices;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes one by one: the plainest form, for CPUs without vectors.</summary>
internal struct ByteSimdScalar : IByteSimd<ByteSimdScalar, SimdScalar>
{
    private Sixteen _lanes;

    public static ByteSimdScalar Zero => default;

    public static unsafe ByteSimdScalar Load(byte* source)
    {
        ByteSimdScalar result = default;
        for (int i = 0; i < 16; i++) result._lanes[i] = Unsafe.ReadUnaligned<int>(source + 4 * i);
        return result;
    }

    public static unsafe ByteSimdScalar BroadcastFour(sbyte* source)
    {
        ByteSimdScalar result = default;
        for (int i = 0; i < 16; i++) result._lanes[i] = Unsafe.ReadUnaligned<int>(source);
        return result;
    }

    public static unsafe ByteSimdScalar LoadShorts(short* source)
    {
        ByteSimdScalar result = default;
        for (int i = 0; i < 16; i++) result._lanes[i] = source[i];
        return result;
    }

    public static ByteSimdScalar LowNibbles(ByteSimdScalar bytes)
    {
        for (int i = 0; i < 16; i++) bytes._lanes[i] &= 0x0F0F0F0F;
        return bytes;
    }

    public static ByteSimdScalar HighNibbles(ByteSimdScalar bytes)
    {
        for (int i = 0; i < 16; i++) bytes._lanes[i] = (bytes._lanes[i] >>> 4) & 0x0F0F0F0F;
        return bytes;
    }

    public static ByteSimdScalar Bit(ByteSimdScalar bytes, int bit)
    {
        for (int i = 0; i < 16; i++) bytes._lanes[i] &= 0x01010101 << bit;
        return bytes;
    }

    public static ByteSimdScalar AddNibbleProducts(ByteSimdScalar sums, ByteSimdScalar codes, ByteSimdScalar activations) => AddByteProducts(sums, codes, activations);

    public static ByteSimdScalar NibbleSums(ByteSimdScalar sums) => sums;

    public static ByteSimdScalar ByteSums(int activationSum)
    {
        ByteSimdScalar result = default;
        for (int i = 0; i < 16; i++) result._lanes[i] = -128 * activationSum;
        return result;
    }

    public static ByteSimdScalar AddByteProducts(ByteSimdScalar sums, ByteSimdScalar codes, ByteSimdScalar activations)
    {
        for (int i = 0; i < 16; i++)
        {
            int four = codes._lanes[i], by = activations._lanes[i];
            sums._lanes[i] += (byte)four * (sbyte)by + (byte)(four >> 8) * (sbyte)(by >> 8) + (byte)(four >> 16) * (sbyte)(by >> 16) + (four >>> 24) * (by >> 24);
        }

        return sums;
    }

    public static ByteSimdScalar SubtractMultiple(ByteSimdScalar sums, ByteSimdScalar factors, int number)
    {
        for (int i = 0; i < 16; i++) sums._lanes[i] -= factors._lanes[i] * number;
        return sums;
    }

    public static unsafe SimdScalar ToSingle(ByteSimdScalar sums)
    {
        float* values = stackalloc float[16];
        for (int i = 0; i < 16; i++) values[i] = sums._lanes[i];
        return SimdScalar.Load(values);
    }

    [InlineArray(16)]
    private struct Sixteen
    {
        private int _first;
    }
}
