using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Tucker decompositions of attention projections, W as head x channel x model, beside low rank of as many parameters, which is the case of full head and channel ranks; so only
/// decompositions that reduce one of these count here. q, k, v: both in the metric of the inputs, W L with H = L L^T, which acts on
/// the model mode alone, by higher-order orthogonal iteration. o, whose input is head and channel at once: head rank only, by alternating least squares in the whole metric.
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
            foreach (double share in new[] { 0.5, 0.25, 0.125 })
            {
                if (layer.EndsWith("o_proj", StringComparison.Ordinal))
                {
                    new HeadRankFit(weights, statistics.First(layer), channels).Report(layer, share);
                    continue;
                }

                using Matrix<double> tensor = Weighted(weights, statistics.First(layer));
                Report(layer, tensor, channels, share);
            }
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

    private static Matrix<double> Weighted(Matrix<float> weights, LayerStatistics statistics)
    {
        using Matrix<double> wide = Wide(weights), metric = statistics.Shrunk(0, 1e-6);
        using Cholesky root = Cholesky.FactorizeWithRidge(metric.View);
        var weighted = new Matrix<double>(wide.Rows, wide.Columns);
        MatrixProduct.Multiply(wide, root.Lower, weighted.View);
        return weighted;
    }

    private static Matrix<double> Wide(Matrix<float> weights)
    {
        var wide = new Matrix<double>(weights.Rows, weights.Columns);
        for (nint i = 0; i < wide.Rows; i++)
        {
            for (nint j = 0; j < wide.Columns; j++) wide[i, j] = weights[i, j];
        }

        return wide;
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

    /// <summary>W[o, (h, c)] = sum over a of D[o, (a, c)] U[h, a] with D of a rank: low rank over fewer heads than there are.</summary>
    private sealed class HeadRankFit(Matrix<float> weights, LayerStatistics statistics, int channels)
    {
        private readonly Matrix<double> _wide = Wide(weights), _metric = statistics.Shrunk(0, 1e-6);

        public void Report(string layer, double share)
        {
            int outputs = (int)_wide.Rows, inputs = (int)_wide.Columns, heads = inputs / channels, rank = (int)(share * outputs * inputs / (outputs + inputs));
            using Matrix<double> weighted = Weighted(weights, statistics);
            double[] values = Svd.Values(weighted.View);
            double norm = values.Sum(value => value * value), lowRank = Math.Sqrt(values.Skip(rank).Sum(value => value * value) / norm), best = double.PositiveInfinity;
            (int Heads, int Model) bestRanks = default;
            for (int r1 = heads - 1; r1 >= heads / 2; r1--)
            {
                int r3 = (int)((share * outputs * inputs - r1 * heads) / (outputs + r1 * channels));
                double error = Math.Sqrt(Fit(heads, r1, Math.Min(r3, r1 * channels)) / norm);
                if (error < best) (best, bestRanks) = (error, (r1, r3));
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {layer} | {heads} x {channels} x {outputs} | {share} | {lowRank:F4} | {best:F4} | {bestRanks.Heads}, {channels}, {bestRanks.Model} | {best / lowRank:F3} |"));
        }

        /// <summary>The squared error in the metric.</summary>
        private double Fit(int heads, int r1, int r3)
        {
            using Matrix<double> u = Start(heads, r1), product = new(_wide.Rows, _wide.Columns);
            MatrixProduct.Multiply(_wide, _metric, product.View);
            double total = Inner(_wide, product), error = 0;
            for (int sweep = 0; sweep < 4; sweep++)
            {
                using Matrix<double> d = FitCore(u, product, r1, r3, out double explained);
                error = Math.Max(0, total - explained);
                if (sweep < 3) FitHeads(u, d, product, heads, r1);
            }

            return error;
        }

        /// <summary>D = P P^T (W H V) (V^T H V)^-1 with V = U (x) 1 and P the leading left vectors in the metric.</summary>
        private Matrix<double> FitCore(Matrix<double> u, Matrix<double> product, int r1, int r3, out double explained)
        {
            int inner = r1 * channels;
            using Matrix<double> v = new(_wide.Columns, inner), hv = new(_wide.Columns, inner), vhv = new(inner, inner), cross = new(inner, _wide.Rows);
            for (int h = 0; h < u.Rows; h++)
            {
                for (int a = 0; a < r1; a++)
                {
                    for (int c = 0; c < channels; c++) v[h * channels + c, a * channels + c] = u[h, a];
                }
            }

            MatrixProduct.Multiply(_metric, v, hv.View);
            MatrixProduct.Multiply(v.Transposed, hv, vhv.View);
            MatrixProduct.Multiply(v.Transposed, product.Transposed, cross.View); // V^T H W^T
            using Cholesky root = Cholesky.FactorizeWithRidge(vhv.View);
            root.SolveLower(cross.View); // M^T, with ||M|| what V can explain
            using SingularValueDecomposition svd = Svd.Truncated(cross.View, r3);
            explained = svd.Values.ToArray().Sum(value => value * value);
            using Matrix<double> coefficients = new(r3, _wide.Rows), kept = new(inner, _wide.Rows);
            MatrixProduct.Multiply(svd.LeftTransposed, cross, coefficients.View);
            MatrixProduct.Multiply(svd.LeftTransposed.Transposed, coefficients, kept.View);
            root.SolveLowerTransposed(kept.View);
            var d = new Matrix<double>(_wide.Rows, inner);
            for (nint o = 0; o < d.Rows; o++)
            {
                for (int j = 0; j < inner; j++) d[o, j] = kept[j, o];
            }

            return d;
        }

        private void FitHeads(Matrix<double> u, Matrix<double> d, Matrix<double> product, int heads, int r1)
        {
            using Matrix<double> e = new(d.Columns, d.Columns), g = new(_wide.Columns, d.Columns), normal = new(heads * r1, heads * r1), right = new(heads * r1, 1);
            MatrixProduct.Multiply(d.Transposed, d, e.View);
            MatrixProduct.Multiply(product.Transposed, d, g.View); // H W^T D
            for (int h = 0; h < heads; h++)
            {
                for (int a = 0; a < r1; a++)
                {
                    int row = h * r1 + a;
                    for (int c = 0; c < channels; c++) right[row, 0] += g[h * channels + c, a * channels + c];
                    for (int other = 0; other < heads * r1; other++)
                    {
                        (int h2, int a2) = Math.DivRem(other, r1);
                        double sum = 0;
                        for (int c = 0; c < channels; c++)
                        {
                            Span<double> moments = _metric.Row(h * channels + c).Slice(h2 * channels, channels), squares = e.Row(a * channels + c).Slice(a2 * channels, channels);
                            for (int k = 0; k < channels; k++) sum += moments[k] * squares[k];
                        }

                        normal[row, other] = sum;
                    }
                }
            }

            using Cholesky root = Cholesky.FactorizeWithRidge(normal.View);
            root.Solve(right.View);
            for (int row = 0; row < heads * r1; row++) u[row / r1, row % r1] = right[row, 0];
        }

        /// <summary>The leading eigenvectors of the heads' part of W H W^T, diagonal block by block.</summary>
        private Matrix<double> Start(int heads, int r1)
        {
            using Matrix<double> gram = new(heads, heads), square = new(_wide.Columns, _wide.Columns);
            MatrixProduct.Multiply(_wide.Transposed, _wide, square.View);
            for (int h = 0; h < heads; h++)
            {
                for (int other = 0; other < heads; other++)
                {
                    for (int c = 0; c < channels; c++)
                    {
                        Span<double> moments = _metric.Row(h * channels + c).Slice(other * channels, channels), squares = square.Row(h * channels + c).Slice(other * channels, channels);
                        for (int k = 0; k < channels; k++) gram[h, other] += moments[k] * squares[k];
                    }
                }
            }

            using SingularValueDecomposition svd = Svd.Truncated(gram.View, r1);
            var u = new Matrix<double>(heads, r1);
            for (int h = 0; h < heads; h++)
            {
                for (int a = 0; a < r1; a++) u[h, a] = svd.LeftTransposed[a, h];
            }

            return u;
        }

        private static double Inner(Matrix<double> left, Matrix<double> right)
        {
            double sum = 0;
            for (nint row = 0; row < left.Rows; row++)
            {
                for (nint j = 0; j < left.Columns; j++) sum += left[row, j] * right[row, j];
            }

            return sum;
        }
    }
}
