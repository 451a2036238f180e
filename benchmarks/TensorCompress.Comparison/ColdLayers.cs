using TensorCompress.Compression;
using TensorCompress.Compression.Dense;
using TensorCompress.Compression.Scalar;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>A square matrix in one format, as many times as it takes to be cold: no cache holds a copy from its last turn.</summary>
internal sealed class ColdLayers : IDisposable
{
    public const int Dimension = 4096;

    private const long ColdBytes = 512 << 20;

    /// <summary>All formats, by name.</summary>
    private static readonly (string Name, MethodOptions Options)[] Formats =
    [
        ("f32", new DenseOptions(ElementType.F32)),
        ("f16", new DenseOptions(ElementType.F16)),
        ("bf16", new DenseOptions(ElementType.BF16)),
        ("int8 group 32", new ScalarOptions(8, 32)),
        ("int8 group 64", new ScalarOptions(8, 64)),
        ("int8 group 64 symmetric", new ScalarOptions(8, 64, symmetric: true)),
        ("int4 group 32", new ScalarOptions(4, 32)),
        ("int4 group 32 symmetric", new ScalarOptions(4, 32, symmetric: true)),
        ("int4 group 64", new ScalarOptions(4, 64)),
        ("int4 group 64 symmetric", new ScalarOptions(4, 64, symmetric: true)),
    ];

    private readonly List<LinearLayer> _copies = [];

    private ColdLayers(string name, CompressedWeight weight, bool isCold)
    {
        Name = name;
        do _copies.Add(weight.CreateLayer());
        while (isCold && Bytes < ColdBytes);
    }

    public string Name { get; }

    public int Copies => _copies.Count;

    /// <summary>Bytes of all copies.</summary>
    public long Bytes => _copies.Sum(layer => layer.ResidentBytes);

    /// <summary>The chosen formats.</summary>
    /// <param name="options">Names the formats.</param>
    /// <param name="isCold">Whether there are as many copies as it takes; otherwise one.</param>
    public static IReadOnlyList<ColdLayers> Create(Options options, bool isCold = true)
    {
        using var dense = new Matrix<float>(Dimension, Dimension);
        var random = new SeededRandom(1);
        for (nint row = 0; row < Dimension; row++)
        {
            foreach (ref float value in dense.Row(row)) value = (float)random.NextDouble() - 0.5f;
        }

        var layers = new List<ColdLayers>();
        foreach ((string name, MethodOptions format) in Formats.Where(format => options.Formats is not { } chosen || chosen.Any(format.Name.StartsWith)))
        {
            using CompressedWeight weight = format.Method.Compress(dense.View, format, new CompressionContext { Pool = ComputePool.Shared });
            layers.Add(new ColdLayers(name, weight, isCold));
        }

        return layers;
    }

    /// <summary>Multiplies each copy once.</summary>
    public void Multiply(MatrixView<float> input, MatrixView<float> destination, ComputeContext context)
    {
        foreach (LinearLayer layer in _copies) layer.Forward(new ActivationBatch(input), destination, context);
    }

    /// <summary>Multiplies the first copy.</summary>
    public void MultiplyOne(MatrixView<float> input, MatrixView<float> destination, ComputeContext context) => _copies[0].Forward(new ActivationBatch(input), destination, context);

    public void Dispose()
    {
        foreach (LinearLayer layer in _copies) layer.Dispose();
    }
}
