using System.Globalization;
using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tokenization;

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
        Tokenizer tokenizer = checkpoint.LoadTokenizer(null) ?? throw new ArgumentException("The model has no tokenizer.");
        IReadOnlyList<int> ids = tokenizer.Encode(Start(File.ReadAllText(text)), new EncodeOptions(ParseSpecialTokens: true, AddSpecialTokens: false));
        int tokens = (options.Rounds ?? 8) * 512;
        int[][] windows = [.. ids.Take(tokens).Chunk(512).Where(window => window.Length == 512)];
        IReadOnlyList<int> blocks = options.Sizes ?? [1, 10, 29];
        Console.WriteLine($"{Path.GetFileName(path)}, {windows.Length * 512} tokens of {Path.GetFileName(text)}, share {Share}, blocks {string.Join(", ", blocks)}");
        Console.WriteLine("| layer | shape | chi | low rank | whitened | TT-SVD | diagonal | Kronecker | ALS | ALS over TT-SVD | ALS over whitened | ALS s |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        int last = blocks.Max();
        try
        {
            ModelCalibration.Collect(model, windows, (layers, statistics) =>
            {
                foreach (string layer in layers)
                {
                    int block = int.Parse(layer.Split('.').FirstOrDefault(part => part.All(char.IsAsciiDigit)) ?? "-1", CultureInfo.InvariantCulture);
                    if (block > last) throw new OperationCanceledException();
                    if (blocks.Contains(block)) Report(checkpoint, layer, statistics);
                }
            });
        }
        catch (OperationCanceledException)
        {
            // the blocks that were asked for are done
        }
    }

    /// <summary>More text than the calibration takes.</summary>
    private static ReadOnlySpan<char> Start(string text) => text.AsSpan(0, Math.Min(text.Length, 200_000));

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

    /// <summary>The truncated decomposition of W S with S S^T = H, times S^-1; without statistics S is 1.</summary>
    private static double LowRank(Matrix<float> weights, LayerStatistics? whitening, int rank, LayerStatistics statistics)
    {
        using var wide = new Matrix<double>(weights.Rows, weights.Columns);
        for (nint row = 0; row < weights.Rows; row++)
        {
            for (int i = 0; i < weights.Columns; i++) wide[row, i] = weights[row, i];
        }

        using Matrix<double> metric = whitening?.Shrunk(0, Ridge) ?? new Matrix<double>(0, 0);
        using Cholesky? root = whitening is null ? null : Cholesky.FactorizeWithRidge(metric.View);
        using var scaled = new Matrix<double>(weights.Rows, weights.Columns);
        if (root is null) wide.View.CopyTo(scaled.View);
        else MatrixProduct.Multiply(wide, root.Lower, scaled.View);
        using SingularValueDecomposition svd = Svd.Truncated(scaled.View, rank);
        for (int r = 0; r < svd.Rank; r++)
        {
            foreach (ref double value in svd.RightTransposed.Row(r)) value *= svd.Values[r];
        }

        // diag(s) V^T L^-1, solved as L^-T (V diag(s)).
        using var right = new Matrix<double>(weights.Columns, svd.Rank);
        for (int r = 0; r < svd.Rank; r++)
        {
            for (int i = 0; i < weights.Columns; i++) right[i, r] = svd.RightTransposed[r, i];
        }

        root?.SolveLowerTransposed(right.View);
        using var product = new Matrix<double>(weights.Rows, weights.Columns);
        MatrixProduct.Multiply(svd.LeftTransposed.Transposed, right.Transposed, product.View);
        using var dense = new Matrix<float>(weights.Rows, weights.Columns);
        for (nint row = 0; row < weights.Rows; row++)
        {
            for (int i = 0; i < weights.Columns; i++) dense[row, i] = (float)product[row, i];
        }

        return statistics.OutputError(weights.View, dense.View);
    }
}
