using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>The implementation that a group of operations takes in this process.</summary>
/// <param name="Operations">What is computed.</param>
/// <param name="Implementation">How, in words.</param>
public sealed record KernelChoice(string Operations, string Implementation)
{
    /// <summary>One entry for each group that chooses on its own.</summary>
    internal static IReadOnlyList<KernelChoice> OfThisProcess() =>
    [
        new("vector operations", Lanes(SimdLevel.Active)),
        new("products of operators and of universal codebooks", Lanes(SimdLevel.Undivided)),
        new("float products of models", $"{Lanes(SimdLevel.Active)}; 4 rows for one token, tiles of 4 rows x 3 tokens for several"),
        new("integer products of 4-bit codes", Integers(4)),
        new("integer products of 8-bit codes", Integers(8)),
        new("products of signs", $"sums of 4 columns looked up for 16 rows, {Tables}"),
        new("products of signs with 8-bit activations, 16 rows at most", Integers(4)),
    ];

    private static string Integers(int bits) => CodeProducts.Choose(SimdLevel.Active, AvxVnni.IsSupported, bits) switch
    {
        IntegerKernel.Bytes512 => "16 rows x 4 columns in one 512-bit vector, VPMADDUBSW",
        IntegerKernel.Vnni256 => "16 rows x 4 columns in two 256-bit vectors, VPDPBUSD",
        IntegerKernel.Bytes256 => "16 rows x 4 columns in two 256-bit vectors, VPMADDUBSW",
        IntegerKernel.Bytes128 => "16 rows x 4 columns in four 128-bit vectors",
        _ => "one by one",
    };

    private static string Tables => SimdLevel.Active switch
    {
        SimdWidth.Bits512 => "4 tables in one 512-bit vector" + (SignProducts.Layout == SignLayout.Words ? ", VPERMB" : Avx512BW.IsSupported ? ", VPSHUFB" : ""),
        SimdWidth.Bits256 => "2 tables in one 256-bit vector" + (Avx2.IsSupported ? ", VPSHUFB" : ""),
        SimdWidth.Bits128 => "a table in a 128-bit vector",
        _ => "one by one",
    };

    private static string Lanes(SimdWidth width) => width switch
    {
        SimdWidth.Bits512 => "16 lanes in one 512-bit vector",
        SimdWidth.Bits256 => "16 lanes in two 256-bit vectors",
        SimdWidth.Bits128 => "16 lanes in four 128-bit vectors",
        _ => "16 lanes one by one",
    };
}
