using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>The last, incomplete step of a loop over sixteen lanes: it runs through the same body, and nothing beside the elements is touched.</summary>
internal static class Lanes
{
    /// <summary>Up to fifteen floats, the other lanes filled.</summary>
    [SkipLocalsInit]
    public static unsafe TSimd Load<TSimd>(float* source, nint count, float filling = 0)
        where TSimd : struct, ISimd<TSimd>
    {
        float* padded = stackalloc float[16];
        TSimd.Store(TSimd.Broadcast(filling), padded);
        Copy(source, padded, count);
        return TSimd.Load(padded);
    }

    /// <summary>The first lanes, up to fifteen.</summary>
    [SkipLocalsInit]
    public static unsafe void Store<TSimd>(TSimd value, float* destination, nint count)
        where TSimd : struct, ISimd<TSimd>
    {
        float* padded = stackalloc float[16];
        TSimd.Store(value, padded);
        Copy(padded, destination, count);
    }

    // Eight, four, two and one: a loop over single floats costs more than a whole step of most kernels.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Copy(float* from, float* to, nint count)
    {
        nint done = 0;
        if ((count & 8) != 0)
        {
            Vector256.Load(from).Store(to);
            done = 8;
        }

        if ((count & 4) != 0)
        {
            Vector128.Load(from + done).Store(to + done);
            done += 4;
        }

        if ((count & 2) != 0)
        {
            Vector64.Load(from + done).Store(to + done);
            done += 2;
        }

        if ((count & 1) != 0) to[done] = from[done];
    }

    /// <summary>The same bits in all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSimd Bits<TSimd>(uint bits)
        where TSimd : struct, ISimd<TSimd> => TSimd.Broadcast(BitConverter.UInt32BitsToSingle(bits));
}
