using System.Runtime.CompilerServices;

namespace TensorCompress.Kernels.Simd;

/// <summary>The last, incomplete step of a loop over sixteen lanes: it runs through the same body, and nothing beside the elements is touched.</summary>
internal static class Lanes
{
    /// <summary>Up to sixteen floats, the other lanes filled.</summary>
    [SkipLocalsInit]
    public static unsafe TSimd Load<TSimd>(float* source, nint count, float filling = 0)
        where TSimd : struct, ISimd<TSimd>
    {
        float* padded = stackalloc float[16];
        for (nint i = 0; i < 16; i++) padded[i] = i < count ? source[i] : filling;
        return TSimd.Load(padded);
    }

    /// <summary>The first lanes, up to sixteen.</summary>
    [SkipLocalsInit]
    public static unsafe void Store<TSimd>(TSimd value, float* destination, nint count)
        where TSimd : struct, ISimd<TSimd>
    {
        float* padded = stackalloc float[16];
        TSimd.Store(value, padded);
        for (nint i = 0; i < count; i++) destination[i] = padded[i];
    }

    /// <summary>The same bits in all lanes.</summary>
    public static TSimd Bits<TSimd>(uint bits)
        where TSimd : struct, ISimd<TSimd> => TSimd.Broadcast(BitConverter.UInt32BitsToSingle(bits));
}
