using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Tucker decompositions of attention projections, W as head x channel x model, beside low rank of as many parameters, which is the case of full head and channel ranks; so only
/// decompositions that reduce one of these count here. Both are fitted in a metric in which both optima are known: W L with
/// H = L L^T where the model is the input (q, k, v), W itself for o, whose input is head and channel at once.
/// </summary>
internal static class TuckerComparison
{
    private const int Sweeps = 12;

    public static void Run(Options options)
    {
        const string Usage = "tucker needs --model and --text.";
        string path = options.Model ?? throw new ArgumentException(Usage), text = options.Text ?? throw new ArgumentException(Usage);
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(path);
        using LanguageModel model = LanguageModel.Load(path);
        using var statistics = new HalvedStatistics(model, checkpoint, text, options.Rounds ?? 8, options.Sizes ?? [1, 10, 29]);
        int channels = model.Definition.Blocks[0].Attention.HeadDimension;
        Console.WriteLine($"{Path.GetFileName(path)}, {statistics.Windows} windows, head of {channels}");
        Console.WriteLine("| layer | heads x channels x model | share | low rank | best Tucker | heads, channels, model ranks | Tucker over low rank |\n|---|---|---|---|---|---|---|");
        foreach (string layer in statistics.Layers.Where(name => name.Contains("self_attn", StringComparison.Ordinal)))
        {
            using Matrix<float> weights = LayerExplanation.ReadDense(checkpoint, layer);
            using Matrix<double> tensor = Weighted(weights, statistics.First(layer), isOutput: layer.EndsWith("o_proj", StringComparison.Ordinal));
            foreach (double share in new[] { 0.5, 0.25, 0.125 }) Report(layer, tensor, channels, share);
        }
    }

    private static void Report(string layer, Matrix<double> tensor, int channels, double share)
    {
        int heads = (int)tensor.Rows / channels, model = (int)tensor.Columns, rank = (int)(share * tensor.Rows * model / (tensor.Rows + model));
        double budget = share * tensor.Rows * model, norm = 0;
        for (nint row = 0; row < tensor.Rows; row++)
        {
            foreach (double value in tensor.Row(row)) norm += value * value;
        }

        double[] values = Svd.Values(tensor.View);
        double lowRank = Math.Sqrt(values.Skip(rank).Sum(value => value * value) / norm), best = double.PositiveInfinity;
        (int Heads, int Channels, int Model) bestRanks = default;
        foreach (int r1 in new[] { heads, (3 * heads + 3) / 4, (heads + 1) / 2 }.Distinct())
        {
            foreach (int eighths in new[] { 8, 7, 6, 5, 4, 3 })
            {
                int r2 = Math.Max(1, channels * eighths / 8);
                // A full rank needs no factor.
                double rest = budget - (r1 < heads ? r1 * heads : 0) - (r2 < channels ? r2 * channels : 0);
                int r3 = (int)Math.Min(Math.Min(model, r1 * r2), rest / ((double)r1 * r2 + model));
                if (r3 < 1 || r2 > r1 * r3 || r1 > r2 * r3 || (r1 == heads && r2 == channels)) continue;
                double error = Math.Sqrt(Math.Max(0, norm - CoreEnergy(tensor, heads, channels, (r1, r2, r3))) / norm);
                if (error < best) (best, bestRanks) = (error, (r1, r2, r3));
            }
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {layer} | {heads} x {channels} x {model} | {share} | {lowRank:F4} | {best:F4} | {bestRanks.Heads}, {bestRanks.Channels}, {bestRanks.Model} | {best / lowRank:F3} |"));
    }

    /// <summary>[(head, channel), model].</summary>
    private static Matrix<double> Weighted(Matrix<float> weights, LayerStatistics statistics, bool isOutput)
    {
        var wide = new Matrix<double>(isOutput ? weights.Columns : weights.Rows, isOutput ? weights.Rows : weights.Columns);
        for (nint i = 0; i < wide.Rows; i++)
        {
            for (nint j = 0; j < wide.Columns; j++) wide[i, j] = isOutput ? weights[j, i] : weights[i, j];
        }

        if (isOutput) return wide;
        using (wide)
        {
            using Matrix<double> metric = statistics.Shrunk(0, 1e-6);
            using Cholesky root = Cholesky.FactorizeWithRidge(metric.View);
            var weighted = new Matrix<double>(wide.Rows, wide.Columns);
            MatrixProduct.Multiply(wide, root.Lower, weighted.View);
            return weighted;
        }
    }

    /// <summary>Higher-order orthogonal iteration (De Lathauwer, De Moor, Vandewalle 2000): the squared norm of the core that it ends with.</summary>
    private static double CoreEnergy(Matrix<double> tensor, int heads, int channels, (int Heads, int Channels, int Model) ranks)
    {
        // Factors as rows: [rank, dimension].
        Matrix<double> u1 = Leading(Unfold(tensor, heads, channels, byHead: true), ranks.Heads), u2 = Leading(Unfold(tensor, heads, channels, byHead: false), ranks.Channels);
        double energy = 0;
        for (int sweep = 0; sweep < Sweeps; sweep++)
        {
            Matrix<double> both = Contract(Contract(tensor, u1, heads, channels, byHead: true), u2, ranks.Heads, channels, byHead: false);
            using SingularValueDecomposition svd = Svd.Truncated(both.View, ranks.Model);
            double before = energy;
            energy = svd.Values.ToArray().Sum(value => value * value);
            if (energy - before < 1e-5 * energy) break;
            using var projected = new Matrix<double>(tensor.Rows, ranks.Model);
            MatrixProduct.Multiply(tensor, svd.RightTransposed.Transposed, projected.View);
            u2 = Leading(Unfold(Contract(projected, u1, heads, channels, byHead: true), ranks.Heads, channels, byHead: false), ranks.Channels);
            u1 = Leading(Unfold(Contract(projected, u2, heads, channels, byHead: false), heads, ranks.Channels, byHead: true), ranks.Heads);
        }

        return energy;
    }

    private static Matrix<double> Leading(Matrix<double> unfolding, int rank)
    {
        using (unfolding)
        {
            var leading = new Matrix<double>(rank, unfolding.Rows);
            if (rank == unfolding.Rows)
            {
                for (int i = 0; i < rank; i++) leading[i, i] = 1;
                return leading;
            }

            using SingularValueDecomposition svd = Svd.Truncated(unfolding.View, rank);
            svd.LeftTransposed.RowRange(0, rank).CopyTo(leading.View);
            return leading;
        }
    }

    /// <summary>[(a, b), c] as [a, (b, c)], or as [b, (a, c)].</summary>
    private static Matrix<double> Unfold(Matrix<double> tensor, int first, int second, bool byHead)
    {
        int width = (int)tensor.Columns;
        var unfolded = new Matrix<double>(byHead ? first : second, (nint)(byHead ? second : first) * width);
        for (int a = 0; a < first; a++)
        {
            for (int b = 0; b < second; b++) tensor.Row((nint)a * second + b).CopyTo(unfolded.Row(byHead ? a : b)[((byHead ? b : a) * width)..]);
        }

        return unfolded;
    }

    /// <summary>Multiplies one of the two row modes by a factor [rank, dimension].</summary>
    private static Matrix<double> Contract(Matrix<double> tensor, Matrix<double> factor, int first, int second, bool byHead)
    {
        int width = (int)tensor.Columns, rank = (int)factor.Rows;
        using Matrix<double> unfolded = Unfold(tensor, first, second, byHead), product = new(rank, unfolded.Columns);
        MatrixProduct.Multiply(factor, unfolded, product.View);
        var folded = new Matrix<double>((nint)rank * (byHead ? second : first), width);
        for (int r = 0; r < rank; r++)
        {
            for (int other = 0; other < (byHead ? second : first); other++)
                product.Row(r).Slice(other * width, width).CopyTo(folded.Row(byHead ? (nint)r * second + other : (nint)other * rank + r));
        }

        return folded;
    }
}
