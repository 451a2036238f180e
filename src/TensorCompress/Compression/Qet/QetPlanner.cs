using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// Spends a budget of bytes: enumerates swap layers, widths of column groups, stages and codebook bits with the most centroids that the budget pays, tries the most promising ones on some of the columns,
/// and compresses by the best. The best plan of plain product quantisation and the best one of residual stages without swaps are compressed too, so the result is never worse than either.
/// </summary>
internal static class QetPlanner
{
    private const int MostTrials = 12, MostGridTrials = 3, MostSwapLayers = 3, MostStages = 3, WidestGroup = 32, MostCodeBits = 12;

    /// <summary>Columns and rows of a trial, about; more rows where the centroids are many.</summary>
    private const int TrialColumns = 48, TrialRows = 4096, TrialRowsPerCentroid = 16;

    private static readonly int[] CodebookBits = [10, 8, 6, 5, 4];

    /// <summary>Compresses within a budget.</summary>
    /// <param name="values">Finite.</param>
    /// <param name="maxBytes">What may be stored.</param>
    /// <param name="seed">Chooses the rows that k-means begins with.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at between trials and within.</param>
    /// <exception cref="ArgumentException">Even one centroid is too much; the message says what it takes.</exception>
    public static QetTensor Compress(MatrixView<float> values, long maxBytes, ulong seed, ComputePool pool, CancellationToken cancellationToken)
    {
        List<Candidate> candidates = [.. Candidates(values.Rows, (int)values.Columns, maxBytes, seed).OrderBy(candidate => candidate.Estimate)];
        if (candidates.Count == 0) throw TooFew(values, maxBytes);
        Candidate[] tried = Tried(values, Promising(candidates), pool, cancellationToken);
        tried = [.. tried.Concat(Tried(values, tried.Take(MostGridTrials).Select(candidate => WithGridPerGroup(candidate, maxBytes)).OfType<Candidate>(), pool, cancellationToken)).OrderBy(candidate => candidate.Estimate)];
        QetTensor? best = null;
        double least = double.PositiveInfinity;
        foreach (QetPlan plan in Finalists(tried).Distinct())
        {
            QetTensor tensor = QetCodec.Compress(values, plan, pool, cancellationToken);
            double error = SquaredError(values, tensor, pool);
            if (best is not null && error >= least) continue;
            (best, least) = (tensor, error);
        }

        return best!;
    }

    /// <summary>The plan of plain product quantisation that errs least in trials; null where the budget does not pay for one centroid.</summary>
    public static QetPlan? BestProduct(MatrixView<float> values, long maxBytes, ulong seed, ComputePool pool, CancellationToken cancellationToken)
    {
        IEnumerable<Candidate> plain = Candidates(values.Rows, (int)values.Columns, maxBytes, seed).Where(candidate => candidate.IsPlain).OrderBy(candidate => candidate.Estimate);
        return Tried(values, plain.Take(3), pool, cancellationToken).FirstOrDefault()?.Plan;
    }

    private static Candidate[] Tried(MatrixView<float> values, IEnumerable<Candidate> candidates, ComputePool pool, CancellationToken cancellationToken) =>
        [.. candidates.Distinct().Select(candidate => candidate with { Estimate = Try(values, candidate.Plan, pool, cancellationToken) }).OrderBy(candidate => candidate.Estimate)];

    /// <summary>The same with a grid for every group, which costs bytes and keeps far groups from spoiling the others; null where the budget does not pay for them.</summary>
    private static Candidate? WithGridPerGroup(Candidate candidate, long maxBytes)
    {
        QetOptions options = candidate.Plan.Options;
        var grids = QetPlan.WithCentroids(candidate.Plan.Rows, candidate.Plan.Columns, candidate.Plan.Centroids, new QetOptions(options.Subspaces, options.Stages, options.CodebookBits, gridPerGroup: true, options.Iterations, options.Seed));
        return options.Subspaces > 1 && grids.StoredBytes <= maxBytes ? candidate with { Plan = grids } : null;
    }

    private static IEnumerable<Candidate> Promising(List<Candidate> candidates) =>
        candidates.Take(MostTrials).Concat(candidates.Where(candidate => candidate.IsPlain).Take(3)).Concat(candidates.Where(candidate => candidate.HasNoSwaps).Take(3));

    private static IEnumerable<QetPlan> Finalists(Candidate[] tried) =>
        new[] { tried[0], tried.FirstOrDefault(candidate => candidate.IsPlain), tried.FirstOrDefault(candidate => candidate.HasNoSwaps) }.OfType<Candidate>().Select(candidate => candidate.Plan);

    /// <summary>A plan of most centroids for each form.</summary>
    private static IEnumerable<Candidate> Candidates(nint rows, int columns, long maxBytes, ulong seed)
    {
        foreach (int width in Enumerable.Range(1, columns).Where(width => columns % width == 0 && (width <= WidestGroup || width == columns)))
        {
            for (int layers = 0; layers <= MostSwapLayers && columns % (width << layers) == 0; layers++)
            {
                for (int stages = 1; stages <= MostStages; stages++)
                {
                    var form = new Form(rows, columns, maxBytes, seed, width, layers, stages);
                    if (CodebookBits.Select(form.Fill).OfType<Candidate>().MinBy(candidate => candidate.Estimate) is { } candidate) yield return candidate;
                }
            }
        }
    }

    private static ArgumentException TooFew(MatrixView<float> values, long maxBytes)
    {
        double elements = (double)values.Rows * values.Columns;
        long least = QetPlan.WithCentroids(values.Rows, values.Columns, [1], new QetOptions(1, [new QetStageOptions(0, 1)], CodebookBits[^1])).StoredBytes;
        return new ArgumentException($"{maxBytes} bytes for {values.Rows} x {values.Columns} do not pay for one centroid: the least is {least * 8 / elements:G4} bits per weight.");
    }

    /// <summary>The squared error, over the squared norm, of the plan on a few whole blocks of columns: those that swaps mix and groups share.</summary>
    private static double Try(MatrixView<float> values, QetPlan plan, ComputePool pool, CancellationToken cancellationToken)
    {
        int layers = plan.Options.Stages[0].SwapLayers, width = plan.SubvectorLength << layers, blocks = (int)plan.Columns / width;
        int count = Math.Clamp(TrialColumns / width, 1, blocks);
        nint rows = nint.Min(values.Rows, Math.Max(TrialRows, TrialRowsPerCentroid * plan.Centroids.Max()));
        using var sample = new Matrix<float>(rows, (nint)count * width);
        for (nint row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> source = values.Row(row * values.Rows / rows);
            for (int i = 0; i < count; i++) source.Slice(i * blocks / count * width, width).CopyTo(sample.Row(row)[(i * width)..]);
        }

        QetOptions options = plan.Options;
        var trial = QetPlan.WithCentroids(rows, sample.Columns, plan.Centroids, new QetOptions(count << layers, options.Stages, options.CodebookBits, options.GridPerGroup, options.Iterations, options.Seed));
        double error = SquaredError(sample.View, QetCodec.Compress(sample.View, trial, pool, cancellationToken), pool), norm = 0;
        for (nint row = 0; row < rows; row++) norm += Numerics.DoubleVectors.SquaredNorm(sample.Row(row));
        return norm == 0 ? 0 : error / norm;
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

    /// <param name="Plan">What is stored.</param>
    /// <param name="Estimate">Squared error over the squared norm: of a Gaussian source by a rule of thumb, or of a trial.</param>
    private sealed record Candidate(QetPlan Plan, double Estimate)
    {
        public bool HasNoSwaps => Plan.Options.Stages[0].SwapLayers == 0;

        public bool IsPlain => HasNoSwaps && Plan.Centroids.Count == 1;
    }

    /// <summary>Everything but codebook bits and centroids.</summary>
    private sealed record Form(nint Rows, int Columns, long MaxBytes, ulong Seed, int Width, int Layers, int Stages)
    {
        /// <summary>The plan of most centroids, code bits spread evenly over the stages; null where not even one centroid fits.</summary>
        public Candidate? Fill(int codebookBits)
        {
            QetStageOptions[] stages = [.. Enumerable.Range(0, Stages).Select(stage => new QetStageOptions(stage == 0 ? Layers : 0, 1.0 / Stages))];
            var options = new QetOptions(Columns / Width, stages, codebookBits, seed: Seed);
            int[] centroids = [.. Enumerable.Repeat(1, Stages)];
            if (!Fits(centroids, options)) return null;
            for (int bit = 0; bit < MostCodeBits * Stages; bit++)
            {
                int stage = bit % Stages, before = centroids[stage], doubled = (int)nint.Min(Rows, 2 * before);
                centroids[stage] = doubled;
                if (Fits(centroids, options)) continue;
                centroids[stage] = MostBetween(before, doubled, count => Fits([.. centroids[..stage], count, .. centroids[(stage + 1)..]], options));
                break;
            }

            return new Candidate(QetPlan.WithCentroids(Rows, Columns, centroids, options), Estimate(centroids, codebookBits));
        }

        /// <summary>Where twice as many do not fit: as many as fit, because a code has its bits whatever the number.</summary>
        private static int MostBetween(int fits, int doesNot, Func<int, bool> isWithin)
        {
            while (doesNot - fits > 1)
            {
                int middle = fits + (doesNot - fits) / 2;
                if (isWithin(middle)) fits = middle;
                else doesNot = middle;
            }

            return fits;
        }

        private bool Fits(int[] centroids, QetOptions options) => QetPlan.WithCentroids(Rows, Columns, centroids, options).StoredBytes <= MaxBytes;

        private double Estimate(int[] centroids, int codebookBits)
        {
            double error = 1, wide = 1 + 0.9 * Math.Pow(Width, -0.7), gained = 0.3 * Layers;
            for (int stage = 0; stage < Stages; stage++)
            {
                double left = Math.Pow(2, -2 * Math.Log2(centroids[stage]) / Width);
                if (stage == Stages - 1) left += 25.0 / 12 * Math.Pow(4, -codebookBits);
                error *= left * (left < 1 ? wide : 1);
            }

            return error * Math.Pow(4, -gained);
        }
    }
}
