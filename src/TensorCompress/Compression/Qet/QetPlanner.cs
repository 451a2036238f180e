using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// Spends a budget of bytes: enumerates swap layers, widths of column groups, stages and codebook bits with the most centroids that the budget pays, tries the most promising ones on some of the columns,
/// and compresses by the best. The best plan of plain product quantisation, the best one of residual stages without swaps, the best one behind Hadamard blocks and, where its bytes are within the budget, those
/// behind a learnt rotation (plain product quantisation among them) are compressed too, so the result is never worse than any of them.
/// </summary>
internal sealed class QetPlanner
{
    private const int MostTrials = 12, MostGridTrials = 3, MostHadamardTrials = 3, MostPlainTrials = 3, MostSwapLayers = 3, MostStages = 3, WidestGroup = 32, NarrowestBlocks = 8;

    /// <summary>Columns and rows of a trial, about; more rows where the centroids are many.</summary>
    private const int TrialColumns = 48, TrialRows = 4096, TrialRowsPerCentroid = 16;

    private static readonly int[] CodebookBits = [10, 8, 6, 5, 4];

    private readonly MatrixView<float> _values;
    private readonly LayerStatistics? _statistics;
    private readonly long _maxBytes;
    private readonly ulong _seed;
    private readonly ComputePool _pool;
    private readonly CancellationToken _cancellationToken;

    private QetPlanner(MatrixView<float> values, long maxBytes, ulong seed, LayerStatistics? statistics, ComputePool pool, CancellationToken cancellationToken) =>
        (_values, _maxBytes, _seed, _statistics, _pool, _cancellationToken) = (values, maxBytes, seed, statistics, pool, cancellationToken);

    /// <summary>Compresses within a budget.</summary>
    /// <param name="values">Finite.</param>
    /// <param name="maxBytes">What may be stored.</param>
    /// <param name="seed">Chooses the rows that k-means begins with.</param>
    /// <param name="statistics">Of the inputs that rows are multiplied with: the error is that of outputs then; null for the squared error of the rows.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at between trials and within.</param>
    /// <exception cref="ArgumentException">Even one centroid is too much; the message says what it takes.</exception>
    public static QetTensor Compress(MatrixView<float> values, long maxBytes, ulong seed, LayerStatistics? statistics, ComputePool pool, CancellationToken cancellationToken)
    {
        statistics?.ThrowIfUnfit(values);
        return new QetPlanner(values, maxBytes, seed, statistics, pool, cancellationToken).Best();
    }

    /// <summary>The squared error of a compressed matrix.</summary>
    public static double SquaredError(MatrixView<float> values, QetTensor tensor, ComputePool pool)
    {
        using var decoded = new Matrix<float>(values.Rows, values.Columns);
        QetCodec.Decompress(tensor, decoded.View, pool);
        return SquaredError(values, decoded.View);
    }

    /// <summary>The squared distance of two matrices.</summary>
    public static double SquaredError(MatrixView<float> values, MatrixView<float> decoded)
    {
        double sum = 0;
        for (nint row = 0; row < values.Rows; row++)
        {
            ReadOnlySpan<float> exact = values.Row(row), other = decoded.Row(row);
            for (int k = 0; k < exact.Length; k++) sum += ((double)exact[k] - other[k]) * ((double)exact[k] - other[k]);
        }

        return sum;
    }

    private QetTensor Best()
    {
        using var plain = new Trials(this, null);
        QetCandidate[] tried = Planned(plain, _maxBytes);
        if (tried.Length == 0) throw TooFew();
        QetTensor? best = null;
        double least = double.PositiveInfinity;
        foreach (QetPlan plan in Finalists(tried).Concat(BehindHadamardBlocks(tried)).Concat(BehindLearntRotation()))
        {
            QetTensor tensor = QetCodec.CompressInMetric(_values, plan, _statistics, _pool, _cancellationToken);
            double error = Error(_values, _statistics, tensor);
            if (best is not null && error >= least) continue;
            (best, least) = (tensor, error);
        }

        return best!;
    }

    /// <summary>Tries what the rule of thumb finds most promising; the best first.</summary>
    private QetCandidate[] Planned(Trials trials, long maxBytes)
    {
        List<QetCandidate> candidates = [.. Candidates(maxBytes).OrderBy(candidate => candidate.Estimate)];
        IEnumerable<QetCandidate> promising = candidates.Take(MostTrials).Concat(candidates.Where(candidate => candidate.IsPlain).Take(MostPlainTrials)).Concat(candidates.Where(candidate => candidate.HasNoSwaps).Take(MostPlainTrials));
        QetCandidate[] tried = trials.Rank(promising);
        QetCandidate[] gridded = trials.Rank(tried.Take(MostGridTrials).Select(candidate => WithGridPerGroup(candidate, maxBytes)).OfType<QetCandidate>());
        return [.. tried.Concat(gridded).OrderBy(candidate => candidate.Estimate)];
    }

    private static IEnumerable<QetPlan> Finalists(QetCandidate[] tried) =>
        new[] { tried[0], tried.FirstOrDefault(candidate => candidate.IsPlain), tried.FirstOrDefault(candidate => candidate.HasNoSwaps) }.OfType<QetCandidate>().Select(candidate => candidate.Plan).Distinct();

    /// <summary>The best of the likeliest forms, for rotated rows.</summary>
    private IEnumerable<QetPlan> BehindHadamardBlocks(QetCandidate[] tried)
    {
        if (Universal.BlockHadamard.WidthFor((int)_values.Columns) < NarrowestBlocks) yield break;
        using var trials = new Trials(this, new HadamardRotation((int)_values.Columns));
        QetPlan best = trials.Rank(tried.Take(MostHadamardTrials))[0].Plan;
        yield return best.WithOptions(best.Options with { Rotation = QetRotation.Hadamard });
    }

    /// <summary>Optimised product quantisation, and the best form for rows that are rotated by it.</summary>
    private IEnumerable<QetPlan> BehindLearntRotation()
    {
        long rest = _maxBytes - LearntRotation.BytesFor(_values.Columns);
        if (rest <= 0 || _values.Columns > LearntRotation.MostColumns) yield break;
        using var plain = new Trials(this, null);
        if (plain.Rank(Candidates(rest).Where(candidate => candidate.IsPlain).OrderBy(candidate => candidate.Estimate).Take(MostPlainTrials)) is not [{ Plan: var product }, ..]) yield break;
        yield return product.WithOptions(product.Options with { Rotation = QetRotation.Learnt });
        using var rotated = new Trials(this, LearntRotation.Learn(_values, product, _pool, _cancellationToken));
        foreach (QetPlan plan in Finalists(Planned(rotated, rest))) yield return plan.WithOptions(plan.Options with { Rotation = QetRotation.Learnt });
    }

    /// <summary>The same with a grid for every group, which costs bytes and keeps far groups from spoiling the others; null where the budget does not pay for them.</summary>
    private static QetCandidate? WithGridPerGroup(QetCandidate candidate, long maxBytes)
    {
        QetPlan grids = candidate.Plan.WithOptions(candidate.Plan.Options with { GridPerGroup = true });
        return grids.Options.Subspaces > 1 && grids.StoredBytes <= maxBytes ? candidate with { Plan = grids } : null;
    }

    /// <summary>A plan of most centroids for each form.</summary>
    private IEnumerable<QetCandidate> Candidates(long maxBytes)
    {
        int columns = (int)_values.Columns;
        foreach (int width in Enumerable.Range(1, columns).Where(width => columns % width == 0 && (width <= WidestGroup || width == columns)))
        {
            for (int layers = 0; layers <= MostSwapLayers && columns % (width << layers) == 0; layers++)
            {
                for (int stages = 1; stages <= MostStages; stages++)
                {
                    var form = new QetPlanForm(_values.Rows, columns, maxBytes, _seed, width, layers, stages);
                    if (CodebookBits.Select(form.Fill).OfType<QetCandidate>().MinBy(candidate => candidate.Estimate) is { } candidate) yield return candidate;
                }
            }
        }
    }

    private ArgumentException TooFew()
    {
        double elements = (double)_values.Rows * _values.Columns;
        long least = QetPlan.WithCentroids(_values.Rows, _values.Columns, [1], new QetOptions(1, [new QetStageOptions(0, 1)], CodebookBits[^1])).StoredBytes;
        return new ArgumentException($"{_maxBytes} bytes for {_values.Rows} x {_values.Columns} do not pay for one centroid: the least is {least * 8 / elements:G4} bits per weight.");
    }

    /// <summary>The squared error of the rows, over their squared norm, or of outputs.</summary>
    private double Error(MatrixView<float> values, LayerStatistics? statistics, QetTensor tensor)
    {
        using var decoded = new Matrix<float>(values.Rows, values.Columns);
        QetCodec.Decompress(tensor, decoded.View, _pool);
        if (statistics is not null) return statistics.OutputError(values, decoded.View, _pool);
        double norm = 0;
        for (nint row = 0; row < values.Rows; row++) norm += Numerics.DoubleVectors.SquaredNorm(values.Row(row));
        return norm == 0 ? 0 : SquaredError(values, decoded.View) / norm;
    }

    /// <summary>Trials on a few whole blocks of columns, those that swaps mix and groups share, of rows that are rotated or not.</summary>
    private sealed class Trials : IDisposable
    {
        private readonly QetPlanner _planner;
        private readonly Matrix<float>? _rotated;
        private readonly MatrixView<float> _rows;
        private readonly Matrix<double>? _moment;

        public Trials(QetPlanner planner, RowRotation? rotation)
        {
            (_planner, _rows) = (planner, planner._values);
            _moment = planner._statistics?.Shrunk(0, 0);
            if (rotation is null) return;
            _rotated = new Matrix<float>(_rows.Rows, _rows.Columns);
            _rows.CopyTo(_rotated.View);
            rotation.Rotate(_rotated.View, planner._pool);
            if (_moment is not null) rotation.RotateMetric(_moment, planner._pool);
            _rows = _rotated.View;
        }

        /// <summary>The candidates with what their trials gave, the best first.</summary>
        public QetCandidate[] Rank(IEnumerable<QetCandidate> candidates) => [.. candidates.Distinct().Select(candidate => candidate with { Estimate = Try(candidate.Plan) }).OrderBy(candidate => candidate.Estimate)];

        public void Dispose()
        {
            _rotated?.Dispose();
            _moment?.Dispose();
        }

        private double Try(QetPlan plan)
        {
            int layers = plan.Options.Stages[0].SwapLayers, width = plan.SubvectorLength << layers, blocks = (int)plan.Columns / width;
            int count = Math.Clamp(TrialColumns / width, 1, blocks);
            nint rows = nint.Min(_rows.Rows, Math.Max(TrialRows, TrialRowsPerCentroid * plan.Centroids.Max()));
            int[] columns = [.. Enumerable.Range(0, count).SelectMany(i => Enumerable.Range(i * blocks / count * width, width))];
            using var sample = new Matrix<float>(rows, columns.Length);
            for (nint row = 0; row < rows; row++)
            {
                ReadOnlySpan<float> source = _rows.Row(row * _rows.Rows / rows);
                for (int i = 0; i < columns.Length; i++) sample[row, i] = source[columns[i]];
            }

            using LayerStatistics? statistics = Statistics(columns);
            var trial = QetPlan.WithCentroids(rows, sample.Columns, plan.Centroids, plan.Options with { Subspaces = count << layers });
            return _planner.Error(sample.View, statistics, QetCodec.CompressInMetric(sample.View, trial, statistics, _planner._pool, _planner._cancellationToken));
        }

        private LayerStatistics? Statistics(int[] columns)
        {
            if (_moment is null) return null;
            var block = new Matrix<double>(columns.Length, columns.Length);
            for (int i = 0; i < columns.Length; i++)
            {
                for (int j = 0; j < columns.Length; j++) block[i, j] = _moment[columns[i], columns[j]];
            }

            return new LayerStatistics(block, _planner._statistics!.TokenCount);
        }
    }
}
