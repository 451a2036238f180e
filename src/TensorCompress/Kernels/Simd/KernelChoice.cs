namespace TensorCompress.Kernels.Simd;

/// <summary>The implementation that a group of operations takes in this process.</summary>
/// <param name="Operations">What is computed.</param>
/// <param name="Implementation">How, in words.</param>
public sealed record KernelChoice(string Operations, string Implementation)
{
    /// <summary>One entry for each group that chooses on its own.</summary>
    internal static IReadOnlyList<KernelChoice> OfThisProcess() =>
    [
        new("vector operations", Lanes),
        new("float products of models", $"{Lanes}; tiles of {(SimdLevel.Active == SimdWidth.Bits512 ? "4 rows x 4 tokens" : "4 rows x 1 token")}"),
    ];

    private static string Lanes => SimdLevel.Active switch
    {
        SimdWidth.Bits512 => "16 lanes in one 512-bit vector",
        SimdWidth.Bits256 => "16 lanes in two 256-bit vectors",
        SimdWidth.Bits128 => "16 lanes in four 128-bit vectors",
        _ => "16 lanes one by one",
    };
}
