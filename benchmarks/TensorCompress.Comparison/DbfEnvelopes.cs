using System.Globalization;
using TensorCompress.Compression.Dbf;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>
/// Signs under magnitudes of rank l in place of 1: <c>A = S_A o (V_A U_A^T)</c>, <c>B = S_B o (U_B V_B^T)</c>. Relative squared errors on <see cref="TrialMatrices"/> of one alternating solver for every l (that of the
/// library without flips), at equal charged bits (<c>--formats</c>) and, in brackets, with the middle dimension that rank 1 has. <c>--sizes</c> are the ranks (by default 1 and 2), <c>--rounds</c> rounds.
/// </summary>
internal static class DbfEnvelopes
{
    private const int DefaultRounds = 100, RefitSweeps = 3;

    public static void Run(Options options)
    {
        int[] ranks = [.. options.Sizes ?? [1, 2]];
        Console.WriteLine($"| matrix | bits | {string.Join(" | ", ranks.Select(rank => $"rank {rank}"))} |\n|---|---|{string.Concat(Enumerable.Repeat("---|", ranks.Length))}");
        foreach (TrialMatrices matrix in TrialMatrices.From(options with { Sizes = null }))
        {
            using Matrix<float> weights = matrix.Draw(0);
            foreach (string text in options.Formats ?? ["1", "2"])
            {
                double bits = double.Parse(text, CultureInfo.InvariantCulture);
                int plain = Middle(weights, bits, 1);
                string[] cells = [.. ranks.Select(rank =>
                {
                    string own = Cell(weights, Middle(weights, bits, rank), rank, options);
                    return rank == 1 ? own : $"{own} ({Cell(weights, plain, rank, options)})";
                })];
                Console.WriteLine($"| {matrix.Name} | {text} | {string.Join(" | ", cells)} |");
            }
        }
    }

    /// <summary>The most channels k for k (m + n) signs and numbers of 16 bits: l (m + n), and (2 l - 1) k, because a channel's scale is free to move from one factor to the other.</summary>
    private static int Middle(Matrix<float> weights, double bits, int rank)
    {
        double sides = weights.Rows + weights.Columns;
        return (int)((bits * weights.Rows * weights.Columns - 16 * rank * sides) / (sides + 16 * (2 * rank - 1)));
    }

    private static string Cell(Matrix<float> weights, int channels, int rank, Options options) =>
        Error(weights, channels, rank, options.Rounds ?? DefaultRounds).ToString("F4", CultureInfo.InvariantCulture);

    private static double Error(Matrix<float> weights, int channels, int rank, int rounds)
    {
        DbfSchedule schedule = DbfSchedule.ForRate(DbfSchedule.Rate(weights.Rows, weights.Columns, channels)) with { Rounds = rounds };
        int rows = (int)weights.Rows, columns = (int)weights.Columns;
        using EnvelopeFactor outer = new(channels, rows, rank), inner = new(channels, columns, rank);
        using Matrix<float> cross = new(channels, Math.Max(rows, columns));
        inner.StartFrom(new SeededRandom(1));
        EnvelopeFactor? bestOuter = null, bestInner = null;
        double best = double.PositiveInfinity;
        for (int round = 0; round < rounds; round++)
        {
            MatrixView<float> outerCross = cross.View.Contiguous(channels, rows), innerCross = cross.View.Contiguous(channels, columns);
            MatrixProduct.Multiply(inner.Unit, weights.View.Transposed, outerCross);
            Update(outer, inner, outerCross, schedule, round);
            MatrixProduct.Multiply(outer.Unit, weights, innerCross);
            Update(inner, outer, innerCross, schedule, round);
            if (2 * round < rounds) continue;
            double error = SquaredError(weights, outer.Unit, inner.Projection);
            if (error >= best) continue;
            best = error;
            bestOuter?.Dispose();
            bestInner?.Dispose();
            (bestOuter, bestInner) = (outer.Copy(), inner.Copy());
        }

        using (bestOuter)
        using (bestInner)
        {
            bestOuter!.TakeUnits();
            for (int sweep = 0; sweep < RefitSweeps; sweep++) Refit(weights, bestOuter, bestInner!);
            return SquaredError(weights, bestOuter.Projection, bestInner!.Projection) / SquaredNorm(weights);
        }
    }

    private static void Update(EnvelopeFactor factor, EnvelopeFactor other, MatrixView<float> cross, DbfSchedule schedule, int round)
    {
        using var gram = new Matrix<float>(cross.Rows, cross.Rows);
        using var solution = new Matrix<float>(cross.Rows, cross.Columns);
        MatrixProduct.SymmetricRankK(other.Unit, gram.View);
        double scale = 0;
        for (nint i = 0; i < gram.Rows; i++) scale += (double)gram[i, i] / gram.Rows;
        float[] penalties = new float[cross.Rows];
        for (int step = 0; step < schedule.InnerSteps; step++)
        {
            factor.WritePenalties(scale * (step == 0 ? schedule.PenaltyAt(round) : 1), penalties);
            factor.WriteRightSides(penalties, cross, solution);
            using (var system = new PenalizedGram(gram, schedule.RidgeAt(round) * scale, penalties, null, ComputePool.Shared)) system.Solve(solution.View);
            factor.Absorb(solution, round == 0 && step == 0 ? 1 : (float)schedule.Relaxation);
            factor.Project(schedule.PowerRounds);
        }
    }

    /// <summary>The four envelopes in closed form, one after the other.</summary>
    private static void Refit(Matrix<float> weights, EnvelopeFactor outer, EnvelopeFactor inner)
    {
        using Matrix<float> turned = new(weights.Columns, weights.Rows);
        for (nint i = 0; i < weights.Rows; i++)
        {
            for (nint j = 0; j < weights.Columns; j++) turned[j, i] = weights[i, j];
        }

        outer.FitSides(weights, inner.Projection);
        inner.FitSides(turned, outer.Projection);
        outer.FitChannels(weights, inner.Projection);
        inner.FitChannels(turned, outer.Projection);
    }

    private static double SquaredError(Matrix<float> weights, Matrix<float> outer, Matrix<float> inner)
    {
        using var difference = new Matrix<float>(weights.Rows, weights.Columns);
        weights.View.CopyTo(difference.View);
        MatrixProduct.Multiply(outer.View.Transposed, inner, difference.View, -1, 1);
        return SquaredNorm(difference);
    }

    private static double SquaredNorm(Matrix<float> matrix) => Enumerable.Range(0, (int)matrix.Rows).Sum(row => DoubleVectors.SquaredNorm(matrix.Row(row)));
}
