using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>Vector widths that the kernels are written for.</summary>
public enum SimdWidth
{
    /// <summary>No vectors: plain floats.</summary>
    Scalar = 0,

    /// <summary>128-bit vectors (SSE4.2, AdvSimd).</summary>
    Bits128 = 128,

    /// <summary>256-bit vectors (AVX2 with FMA).</summary>
    Bits256 = 256,

    /// <summary>512-bit vectors (AVX-512).</summary>
    Bits512 = 512,
}

/// <summary>The vector width of this process: what the CPU offers, capped by the environment variable <c>TENSORCOMPRESS_SIMD</c> (512, 256, 128 or scalar).</summary>
public static class SimdLevel
{
    /// <summary>Name of the environment variable that caps the width.</summary>
    public const string Variable = "TENSORCOMPRESS_SIMD";

    /// <summary>The widest vectors that this CPU multiplies in hardware.</summary>
    public static SimdWidth Hardware { get; } = DetectHardware();

    // Read once, and kept as two constants: the compiler then sees one width, and a wrong text is told at every use, not only wrapped in the first.
    private static readonly SimdWidth? Capped = Cap(Hardware, Environment.GetEnvironmentVariable(Variable));
    private static readonly SimdWidth Chosen = Capped ?? SimdWidth.Scalar;
    private static readonly bool IsRefused = Capped is null;
    private static readonly bool HalvesWidest = DetectHalves();

    /// <summary>The width that kernels use.</summary>
    /// <exception cref="NotSupportedException">The environment variable is none of its four values.</exception>
    public static SimdWidth Active => IsRefused ? throw Refusal(Environment.GetEnvironmentVariable(Variable)) : Chosen;

    /// <summary>
    /// The width for kernels that load or assemble a vector for every multiply-add: <see cref="Active"/>, but 256 bits where the CPU takes vectors of 512 bits in two halves (AMD family 25: Zen 4). It multiplies no more in a
    /// cycle with them there, and loads half as often. The bits of results are the same.
    /// </summary>
    internal static SimdWidth Undivided => Active == SimdWidth.Bits512 && HalvesWidest ? SimdWidth.Bits256 : Active;

    /// <summary>Applies the cap of the environment variable; null where the text is none of the four widths.</summary>
    internal static SimdWidth? Cap(SimdWidth hardware, string? text)
    {
        SimdWidth? cap = text switch
        {
            null or "" or "512" => SimdWidth.Bits512,
            "256" => SimdWidth.Bits256,
            "128" => SimdWidth.Bits128,
            "scalar" => SimdWidth.Scalar,
            _ => null,
        };
        return cap > hardware ? hardware : cap;
    }

    internal static NotSupportedException Refusal(string? text) => new($"{Variable} is 512, 256, 128 or scalar, not \"{text}\".");

    private static bool DetectHalves()
    {
        if (!X86Base.IsSupported) return false;
        (_, int first, int third, int second) = X86Base.CpuId(0, 0);
        int signature = X86Base.CpuId(1, 0).Eax, family = (signature >> 8 & 15) + (signature >> 20 & 255);
        return (first, second, third) == (0x68747541, 0x69746E65, 0x444D4163) && family == 25; // "AuthenticAMD"
    }

    private static SimdWidth DetectHardware()
    {
#pragma warning disable RS0030 // the one place that asks
        if (Vector512.IsHardwareAccelerated) return SimdWidth.Bits512;
        if (Vector256.IsHardwareAccelerated) return SimdWidth.Bits256;
        return Vector128.IsHardwareAccelerated ? SimdWidth.Bits128 : SimdWidth.Scalar;
#pragma warning restore RS0030
    }
}
