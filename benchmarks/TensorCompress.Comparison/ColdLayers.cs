using TensorCompress.Compression;
using TensorCompress.Compression.Dense;
using TensorCompress.Compression.Qet;
using TensorCompress.Compression.Scalar;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>A matrix in one format, as many times as it takes to be cold: no cache holds a copy from its last turn.</summary>
internal sealed class ColdLayers : IDisposable
{
    private const long ColdBytes = 512 << 20;

    private const int GroupColumns = 4;

    /// <summary>All formats, by name; fitted ones have as many column groups as the columns make.</summary>
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
        ("int3 group 64", new ScalarOptions(3, 64)),
        ("int2 group 64", new ScalarOptions(2, 64)),
        ("qet universal 1.5 bits", new QetMethodOptions(1.52, QetForm.Universal)),
        ("qet universal 2 bits", new QetMethodOptions(2.02, QetForm.Universal)),
        ("qet universal 2.28 bits, mixed", new QetMethodOptions(2.28, QetForm.Universal)),
        ("qet universal 2.5 bits", new QetMethodOptions(2.52, QetForm.Universal)),
        ("qet universal 3 bits", new QetMethodOptions(3.02, QetForm.Universal)),
        ("qet universal 4 bits", new QetMethodOptions(4.02, QetForm.Universal)),
        ("qet universal 5 bits", new QetMethodOptions(5.02, QetForm.Universal)),
        ("qet fitted 2 bits, groups of 4", new QetMethodOptions(2, new QetOptions(GroupColumns, [new QetStageOptions(0, 1)], 8))),
        ("qet fitted 3 bits, groups of 4", new QetMethodOptions(3, new QetOptions(GroupColumns, [new QetStageOptions(0, 0.6), new QetStageOptions(0, 0.4)], 8))),
        ("qet fitted 3 bits, one swap layer", OfSwaps(1)),
        ("qet fitted 3 bits, one swap layer, groups of 2", OfSwaps(1, groupColumns: 2)),
        ("qet fitted 3 bits, one swap layer, groups of 16", OfSwaps(1, groupColumns: 16)),
        ("qet fitted 3 bits, one swap layer, groups of 32", OfSwaps(1, groupColumns: 32)),
        ("qet fitted 3 bits, two swap layers", OfSwaps(2)),
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
    /// <param name="options">Names the formats and, by one or two sizes, the shape: rows and columns.</param>
    /// <param name="isCold">Whether there are as many copies as it takes; otherwise one.</param>
    public static IReadOnlyList<ColdLayers> Create(Options options, bool isCold = true)
    {
        (int rows, int columns) = ShapeOf(options);
        using var dense = new Matrix<float>(rows, columns);
        var random = new SeededRandom(1);
        for (nint row = 0; row < rows; row++)
        {
            foreach (ref float value in dense.Row(row)) value = (float)random.NextDouble() - 0.5f;
        }

        var layers = new List<ColdLayers>();
        foreach ((string name, MethodOptions format) in Formats.Where(format => options.Formats is not { } chosen || chosen.Any(format.Name.StartsWith)))
        {
            using CompressedWeight weight = format is QetMethodOptions { Codec: { } codec } fitted ? RandomlyFitted(dense, codec, fitted.Bits) : format.Method.Compress(dense.View, format, new CompressionContext { Pool = ComputePool.Shared });
            layers.Add(new ColdLayers(name, weight, isCold));
        }

        return layers;
    }

    // Options know no columns: until there is a matrix, what is called groups is columns of a group.
    private static QetMethodOptions OfSwaps(int layers, int groupColumns = GroupColumns) => new(3, new QetOptions(groupColumns, [new QetStageOptions(layers, 1)], 8));

    /// <summary>Codes and centroids by chance: fitting them takes minutes and does not change the speed.</summary>
    private static QetWeight RandomlyFitted(Matrix<float> dense, QetOptions options, double bits)
    {
        var groups = new QetOptions((int)dense.Columns / options.Subspaces, options.Stages, options.CodebookBits);
        QetPlan plan = QetPlan.ForBudget(dense.Rows, dense.Columns, (long)(bits * dense.Rows * dense.Columns / 8), groups);
        var random = new SeededRandom(3);
        QetEncodedStage Stage(int index)
        {
            float[] centroids = new float[plan.Numbers(index)];
            foreach (ref float number in centroids.AsSpan()) number = (float)random.NextDouble() - 0.5f;
            byte[] Bytes(long count) => [.. Enumerable.Range(0, (int)((count + 7) / 8)).Select(_ => (byte)random.NextInt32(256))];
            int codeBits = int.Log2(plan.Centroids[index]); // every code has a centroid
            byte[] codes = new byte[BitStream.Padded((long)plan.Rows * plan.Options.Subspaces * plan.CodeBits(index)) / 8];
            for (long i = 0; i < (long)plan.Rows * plan.Options.Subspaces; i++) BitStream.Write(codes, i * plan.CodeBits(index), random.NextInt32(1 << codeBits));
            return new QetEncodedStage(Bytes(plan.AccountOf(index).Swaps), codes, QetCodebook.Round(centroids, plan, index), plan.Options.Stages[index].SwapLayers, plan.CodeBits(index), plan.Centroids[index]);
        }

        return new QetWeight(new QetTensor(plan, [.. Enumerable.Range(0, plan.Centroids.Count).Select(Stage)]));
    }

    /// <summary>Rows and columns; 4096 each where the options do not say.</summary>
    public static (int Rows, int Columns) ShapeOf(Options options) => options.Sizes is { } sizes ? (sizes[0], sizes[^1]) : (4096, 4096);

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
