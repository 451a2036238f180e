using System.Globalization;
using TensorCompress.Compression.Qet;
using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>
/// Planned QET beside each of its rivals on whole matrices at the same bytes: plain product quantisation, the same behind a learnt rotation, and two stages without swaps, at every width of column groups and with codebooks of 6, 8,
/// 10 and 16 bits. Options are those of <see cref="QetComparison"/>.
/// </summary>
internal static class QetRivals
{
    private static readonly double[][] Shares = [[1], [0.5, 0.5], [0.7, 0.3]];

    private static readonly int[] CodebookBits = [6, 8, 10, 16];

    public static void Run(Options options)
    {
        Console.WriteLine("| of | budget, bits | matrices | planned | best rival of each | planned over it, at most | rivals that fit |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach (QetMatrices kind in QetMatrices.From(options))
        {
            foreach (string budget in options.Formats ?? ["2", "2.5", "3", "4"])
            {
                (double planned, double rival, double most, int count) = (0, 0, 0, 0);
                foreach (Matrix<float> matrix in kind.Matrices)
                {
                    long bytes = (long)(double.Parse(budget, CultureInfo.InvariantCulture) * matrix.Rows * matrix.Columns / 8);
                    double error = ErrorOf(matrix.View, QetCodec.Plan(matrix.View, bytes));
                    (double Error, string Form)[] rivals = [.. Rivals(matrix.View, bytes).Select(plan => (ErrorOf(matrix.View, plan), Form(plan)))];
                    (double least, string form) = rivals.Min();
                    Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{kind.Name}, {budget} bits: planned {error:F4}, {form} {least:F4}"));
                    (planned, rival, most, count) = (planned + error / kind.Matrices.Count, rival + least / kind.Matrices.Count, Math.Max(most, error / least), count + rivals.Length);
                }

                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {kind.Name} | {budget} | {kind.Matrices.Count} | {planned:F4} | {rival:F4} | {most:F3} | {count} |"));
            }

            kind.Dispose();
        }
    }

    private static double ErrorOf(MatrixView<float> values, QetPlan plan) => new QetError(values, null, ComputePool.Shared).Of(QetCodec.Compress(values, plan));

    private static string Form(QetPlan plan) => $"{plan.Options.Rotation} {plan.Options.Subspaces} groups of {string.Join(" and ", plan.Centroids)}, {plan.Options.CodebookBits} bits";

    private static IEnumerable<QetPlan> Rivals(MatrixView<float> values, long bytes)
    {
        int columns = (int)values.Columns;
        foreach (int groups in Enumerable.Range(1, columns).Where(groups => columns % groups == 0))
        {
            foreach (int bits in CodebookBits)
            {
                foreach (double[] shares in Shares)
                {
                    if (Plan(values, bytes, new QetOptions(groups, [.. shares.Select(share => new QetStageOptions(0, share))], bits)) is { } plan) yield return plan;
                }

                if (columns > LearntRotation.MostColumns) continue;
                if (Plan(values, bytes, new QetOptions(groups, [new QetStageOptions(0, 1)], bits) { Rotation = QetRotation.Learnt }) is { } rotated) yield return rotated;
            }
        }
    }

    /// <summary>As many centroids as fit, up to those that the planner takes; null where not one does.</summary>
    private static QetPlan? Plan(MatrixView<float> values, long bytes, QetOptions options) =>
        QetPlan.OfOneCentroid(values.Rows, values.Columns, options).Within(bytes, QetBudget.MostCentroids);
}
