namespace TensorCompress.Compression.Qet;

/// <summary>A plan with what it promises.</summary>
/// <param name="Plan">What is stored.</param>
/// <param name="Estimate">Squared error over the squared norm: of a Gaussian source by a rule of thumb, or of a trial.</param>
internal sealed record QetCandidate(QetPlan Plan, double Estimate)
{
    public bool HasNoSwaps => Plan.Options.Stages[0].SwapLayers == 0;

    public bool IsPlain => HasNoSwaps && Plan.Centroids.Count == 1;
}

/// <summary>Everything but codebook bits and centroids.</summary>
internal sealed record QetPlanForm(nint Rows, int Columns, long MaxBytes, ulong Seed, int Width, int Layers, int Stages)
{
    private const int MostCodeBits = 12;

    /// <summary>Partial sums that are kept while stages without swaps are searched together.</summary>
    private const int BeamWidth = 8;

    /// <summary>The plan of most centroids, code bits spread evenly over the stages; null where not even one centroid fits.</summary>
    public QetCandidate? Fill(int codebookBits)
    {
        QetStageOptions[] stages = [.. Enumerable.Range(0, Stages).Select(stage => new QetStageOptions(stage == 0 ? Layers : 0, 1.0 / Stages))];
        int together = Stages - (Layers > 0 ? 1 : 0);
        var options = new QetOptions(Columns / Width, stages, codebookBits, seed: Seed) { BeamWidth = together > 1 ? BeamWidth : 1 };
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

        return new QetCandidate(QetPlan.WithCentroids(Rows, Columns, centroids, options), Estimate(centroids, codebookBits));
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
