using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.LowRank;
using TensorCompress.Compression.Mpo;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>Output errors of real layers at half of their parameters: plain and whitened low rank, and operators of two sites by every fit.</summary>
internal static class MpoFitComparison
{
    private const double Share = 0.5, Ridge = 1e-4;

    public static void Run(Options options)
    {
        string path = options.Model ?? throw new ArgumentException("mpo-fit needs --model and --text."), text = options.Text ?? throw new ArgumentException("mpo-fit needs --model and --text.");
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(path);
        using LanguageModel model = LanguageModel.Load(path);
        if (model.Tokenizer is null) throw new ArgumentException("The model has no tokenizer.");
        IReadOnlyList<int[]> windows = EvaluationWindows.FromText(model.Tokenizer, File.ReadAllText(text), 512, (options.Rounds ?? 8) * 512);
        IReadOnlyList<int> blocks = options.Sizes ?? [1, 10, 29];
        Console.WriteLine($"{Path.GetFileName(path)}, {windows.Count * 512} tokens of {Path.GetFileName(text)}, share {Share}, blocks {string.Join(", ", blocks)}");
        Console.WriteLine("| layer | shape | chi | low rank | whitened | TT-SVD | diagonal | Kronecker | ALS | ALS over TT-SVD | ALS over whitened | ALS s |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        CalibratedBlocks.Collect(model, windows, blocks, (layer, statistics) => Report(checkpoint, layer, statistics));
    }

    private static void Report(ModelCheckpoint checkpoint, string layer, LayerStatistics statistics)
    {
        using Matrix<float> weights = LayerExplanation.ReadDense(checkpoint, layer);
        int rank = (int)(Share * weights.Rows * weights.Columns / (weights.Rows + weights.Columns));
        double plain = LowRank(weights, null, rank, statistics), whitened = LowRank(weights, statistics, rank, statistics);
        double[] errors = new double[4];
        int chi = 0;
        double seconds = 0;
        for (int fit = 0; fit < errors.Length; fit++)
        {
            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithShare(Share) with { Fit = MpoFit.Weights + fit, Ridge = Ridge }, statistics: statistics);
            seconds = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
            using var dense = new Matrix<float>(weights.Rows, weights.Columns);
            chain.ToDense(dense.View);
            errors[fit] = statistics.OutputError(weights.View, dense.View);
            chi = chain.BondDimensions[1];
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {layer} | {weights.Rows} x {weights.Columns} | {chi} | {plain:F4} | {whitened:F4} | {errors[0]:F4} | {errors[1]:F4} | {errors[2]:F4} | {errors[3]:F4} | {errors[3] / errors[0]:F3} | {errors[3] / whitened:F3} | {seconds:F1} |"));
    }

    private static double LowRank(Matrix<float> weights, LayerStatistics? whitening, int rank, LayerStatistics statistics)
    {
        using CompressedWeight factors = LowRankMethod.Instance.Compress(weights.View, new LowRankOptions(rank), new CompressionContext { Statistics = whitening });
        using Matrix<float> dense = factors.ToDense();
        return statistics.OutputError(weights.View, dense.View);
    }
}
