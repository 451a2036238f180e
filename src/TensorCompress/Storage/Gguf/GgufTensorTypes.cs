namespace TensorCompress.Storage.Gguf;

/// <summary>The one list of GGUF tensor types that can be read.</summary>
internal static class GgufTensorTypes
{
    public static GgufTensorType F32 { get; } = new GgufPlainType(0, "F32", Tensors.ElementType.F32);

    public static GgufTensorType F16 { get; } = new GgufPlainType(1, "F16", Tensors.ElementType.F16);

    public static IReadOnlyList<GgufTensorType> All { get; } =
    [
        F32,
        F16,
        new GgufBlockType<Q4_0>(),
        new GgufBlockType<Q4_1>(),
        new GgufBlockType<Q5_0>(),
        new GgufBlockType<Q5_1>(),
        new GgufBlockType<Q8_0>(),
        new GgufBlockType<Q2_K>(),
        new GgufBlockType<Q3_K>(),
        new GgufBlockType<Q4_K>(),
        new GgufBlockType<Q5_K>(),
        new GgufBlockType<Q6_K>(),
        new GgufBlockType<IQ4_NL>(),
        new GgufBlockType<IQ4_XS>(),
        new GgufPlainType(24, "I8", Tensors.ElementType.I8),
        new GgufPlainType(25, "I16", Tensors.ElementType.I16),
        new GgufPlainType(26, "I32", Tensors.ElementType.I32),
        new GgufPlainType(27, "I64", Tensors.ElementType.I64),
        new GgufPlainType(28, "F64", Tensors.ElementType.F64),
        new GgufPlainType(30, "BF16", Tensors.ElementType.BF16),
        new GgufBlockType<TQ1_0>(),
        new GgufBlockType<TQ2_0>(),
    ];

    // Types of ggml that are not read, so that an error can name them.
    private static readonly Dictionary<uint, string> OtherNames = new()
    {
        [4] = "Q4_2, which ggml has removed",
        [5] = "Q4_3, which ggml has removed",
        [9] = "Q8_1",
        [15] = "Q8_K",
        [16] = "IQ2_XXS",
        [17] = "IQ2_XS",
        [18] = "IQ3_XXS",
        [19] = "IQ1_S",
        [21] = "IQ3_S",
        [22] = "IQ2_S",
        [29] = "IQ1_M",
        [31] = "Q4_0_4_4, which ggml has removed",
        [32] = "Q4_0_4_8, which ggml has removed",
        [33] = "Q4_0_8_8, which ggml has removed",
        [36] = "IQ4_NL_4_4, which ggml has removed",
        [37] = "IQ4_NL_4_8, which ggml has removed",
        [38] = "IQ4_NL_8_8, which ggml has removed",
        [39] = "MXFP4",
        [40] = "NVFP4",
    };

    private static readonly Dictionary<uint, GgufTensorType> ById = All.ToDictionary(type => type.Id);

    public static GgufTensorType? Find(uint id) => ById.GetValueOrDefault(id);

    /// <summary>What a number that <see cref="Find"/> does not know stands for.</summary>
    public static string Describe(uint id) => OtherNames.TryGetValue(id, out string? name) ? $"{id} ({name})" : $"{id}";
}
