using TensorCompress.Compression.BlockTensorTrain;
using TensorCompress.Compression.Dense;
using TensorCompress.Compression.LowRank;
using TensorCompress.Compression.Mpo;
using TensorCompress.Compression.Scalar;

namespace TensorCompress.Compression;

/// <summary>The one list of compression methods. Tool, files, recipes, tables and conformance tests iterate it.</summary>
public static class CompressionMethods
{
    /// <summary>All methods.</summary>
    public static IReadOnlyList<ICompressionMethod> All { get; } =
    [
        DenseMethod.Instance,
        ScalarMethod.Instance,
        LowRankMethod.Instance,
        BlockTensorTrainMethod.Instance,
        MpoMethod.Instance,
    ];

    /// <summary>Finds a method by its name.</summary>
    /// <exception cref="NotSupportedException">There is none of that name; the message lists what there is.</exception>
    public static ICompressionMethod Get(string name) => All.FirstOrDefault(method => method.Name == name)
        ?? throw new NotSupportedException($"There is no method \"{name}\"; there are {string.Join(", ", All.Select(method => method.Name))}.");
}
