using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>What memory is fetched in.</summary>
internal static unsafe class CacheLine
{
    public const int Bytes = 64;

    /// <summary>Asks for the line of an address into the second-level cache, where the CPU takes such wishes; any address will do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(void* address)
    {
        if (Sse.IsSupported) Sse.Prefetch1(address);
    }
}
