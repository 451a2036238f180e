using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Sum;

/// <summary>
/// What outlier columns J leave to do for the terms of a sum. Whatever the terms A are, the best columns beside them are <c>C = (W - A) H_:J H_JJ^-1</c>: their own part of W - A, which makes
/// the sum exact there, and what makes good the errors of other columns as far as the inputs J tell about the other inputs. So the terms are fitted with these columns 0, in the metric
/// that remains: <c>H - H_:J H_JJ^-1 H_J:</c>, in which the columns J count nothing.
/// </summary>
internal sealed class OutlierSplit : IDisposable
{
    /// <summary>Ridge of the metric, relative to its mean diagonal.</summary>
    private const double Ridge = 1e-4;

    private readonly int[] _columns;
    private readonly Matrix<double>? _substitution; // H_:J H_JJ^-1, [input, columns]
    private readonly LayerStatistics? _reduced;

    private OutlierSplit(int[] columns, Matrix<float> target, LayerStatistics? statistics, LayerStatistics? reduced, Matrix<double>? substitution)
    {
        _columns = columns;
        Target = target;
        Statistics = statistics;
        _reduced = reduced;
        _substitution = substitution;
    }

    /// <summary>W with 0 in the outlier columns.</summary>
    public Matrix<float> Target { get; }

    /// <summary>The metric that remains; null where there was none.</summary>
    public LayerStatistics? Statistics { get; }

    /// <summary>Chooses columns by second moment times squared norm; of equals the first.</summary>
    /// <param name="weights">W, finite.</param>
    /// <param name="count">How many, 0 to all.</param>
    /// <param name="statistics">Second moment of the inputs; null to go by the norm alone.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    public static OutlierSplit Create(MatrixView<float> weights, int count, LayerStatistics? statistics, ComputePool pool)
    {
        var target = new Matrix<float>(weights.Rows, weights.Columns);
        weights.CopyTo(target.View);
        if (count == 0) return new OutlierSplit([], target, statistics, null, null);
        int[] columns = Choose(weights, count, statistics);
        for (nint row = 0; row < target.Rows; row++)
        {
            foreach (int column in columns) target[row, column] = 0;
        }

        if (statistics is null) return new OutlierSplit(columns, target, null, null, null);
        using Matrix<double> metric = statistics.Shrunk(0, Ridge);
        Matrix<double> substitution = Substitution(metric, columns, pool);
        LayerStatistics reduced = Reduce(metric, columns, substitution, statistics.TokenCount, pool);
        LayerStatistics remaining = statistics.OutputImportance is { } importance ? reduced.WithOutputImportance(importance) : reduced;
        return new OutlierSplit(columns, target, remaining, reduced, substitution);
    }

    /// <summary>The columns that fit beside the terms best.</summary>
    /// <param name="weights">W.</param>
    /// <param name="approximation">The sum of the terms.</param>
    /// <param name="type">Type of the columns.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <exception cref="ArgumentException">A value is beyond the type's range.</exception>
    public OutlierColumns Solve(MatrixView<float> weights, Matrix<float> approximation, ElementType type, ComputePool pool)
    {
        using var values = new Matrix<float>(weights.Rows, _columns.Length);
        using var residual = new Matrix<double>(weights.Rows, weights.Columns);
        using var solved = new Matrix<double>(weights.Rows, _columns.Length);
        for (nint row = 0; row < weights.Rows; row++)
        {
            ReadOnlySpan<float> exact = weights.Row(row), terms = approximation.Row(row);
            Span<double> left = residual.Row(row);
            for (int j = 0; j < left.Length; j++) left[j] = (double)exact[j] - terms[j];
        }

        if (_substitution is not null) MatrixProduct.Multiply(residual, _substitution, solved.View, pool: pool);
        for (nint row = 0; row < weights.Rows; row++)
        {
            for (int i = 0; i < _columns.Length; i++) values[row, i] = (float)(_substitution is null ? residual[row, _columns[i]] : solved[row, i]);
        }

        return new OutlierColumns(_columns, StoredFactor.Round(values.View, type, nameof(weights)));
    }

    public void Dispose()
    {
        Target.Dispose();
        _reduced?.Dispose();
        _substitution?.Dispose();
    }

    private static int[] Choose(MatrixView<float> weights, int count, LayerStatistics? statistics)
    {
        double[] score = new double[weights.Columns];
        for (nint row = 0; row < weights.Rows; row++)
        {
            ReadOnlySpan<float> values = weights.Row(row);
            for (int j = 0; j < score.Length; j++) score[j] += (double)values[j] * values[j];
        }

        double[]? moments = statistics?.Diagonal();
        for (int j = 0; j < score.Length; j++) score[j] *= moments?[j] ?? 1;
        int[] columns = [.. Enumerable.Range(0, score.Length).OrderByDescending(j => score[j]).Take(count)]; // a stable sort
        Array.Sort(columns);
        return columns;
    }

    private static Matrix<double> Substitution(Matrix<double> metric, int[] columns, ComputePool pool)
    {
        using var own = new Matrix<double>(columns.Length, columns.Length);
        using var solved = new Matrix<double>(columns.Length, metric.Columns);
        for (int i = 0; i < columns.Length; i++)
        {
            metric.Row(columns[i]).CopyTo(solved.Row(i));
            for (int j = 0; j < columns.Length; j++) own[i, j] = metric[columns[i], columns[j]];
        }

        using Cholesky root = Cholesky.FactorizeWithRidge(own.View, pool: pool);
        root.Solve(solved.View); // H_JJ^-1 H_J:, and H is symmetric
        var substitution = new Matrix<double>(metric.Columns, columns.Length);
        for (nint j = 0; j < substitution.Rows; j++)
        {
            for (int i = 0; i < columns.Length; i++) substitution[j, i] = solved[i, j];
        }

        for (int i = 0; i < columns.Length; i++)
        {
            substitution.Row(columns[i]).Clear(); // the identity, without its rounding
            substitution[columns[i], i] = 1;
        }

        return substitution;
    }

    private static LayerStatistics Reduce(Matrix<double> metric, int[] columns, Matrix<double> substitution, long tokens, ComputePool pool)
    {
        using var rows = new Matrix<double>(columns.Length, metric.Columns);
        for (int i = 0; i < columns.Length; i++) metric.Row(columns[i]).CopyTo(rows.Row(i));
        using var product = new Matrix<double>(metric.Rows, metric.Columns);
        MatrixProduct.Multiply(substitution, rows, product.View, pool: pool);
        var reduced = new Matrix<double>(metric.Rows, metric.Columns);
        for (nint i = 0; i < reduced.Rows; i++)
        {
            for (nint j = 0; j < i; j++) reduced[i, j] = reduced[j, i] = metric[i, j] - (product[i, j] + product[j, i]) / 2;
            reduced[i, i] = Math.Max(0, metric[i, i] - product[i, i]);
        }

        foreach (int column in columns)
        {
            reduced.Row(column).Clear();
            for (nint i = 0; i < reduced.Rows; i++) reduced[i, column] = 0;
        }

        return new LayerStatistics(reduced, tokens);
    }
}
