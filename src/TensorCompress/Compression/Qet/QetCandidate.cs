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
    /// <summary>Partial sums that are kept while stages without swaps are searched together.</summary>
    public const int BeamWidth = 8;

    /// <summary>The plan of most centroids, code bits spread evenly over the stages; null where not even one centroid fits or there are too many codes.</summary>
    public QetCandidate? Fill(int codebookBits)
    {
        QetStageOptions[] stages = [.. Enumerable.Range(0, Stages).Select(stage => new QetStageOptions(stage == 0 ? Layers : 0, 1.0 / Stages))];
        int together = Stages - (Layers > 0 ? 1 : 0);
        var options = new QetOptions(Columns / Width, stages, codebookBits, seed: Seed) { BeamWidth = together > 1 ? BeamWidth : 1 };
        QetPlan ones = QetPlan.OfOneCentroid(Rows, Columns, options);
        if (ones.HasTooManyCodes || ones.StoredBytes > MaxBytes) return null;
        QetPlan plan = QetBudget.Spend(ones, MaxBytes);
        return new QetCandidate(plan, Estimate(plan));
    }

    private double Estimate(QetPlan plan)
    {
        double error = 1, wide = 1 + 0.9 * Math.Pow(Width, -0.7), gained = 0.3 * Layers;
        for (int stage = 0; stage < Stages; stage++)
        {
            double left = Math.Pow(2, -2 * Math.Log2(plan.Centroids[stage]) / Width);
            if (stage == Stages - 1) left += 25.0 / 12 * Math.Pow(4, -plan.Options.CodebookBits);
            error *= left * (left < 1 ? wide : 1);
        }

        return error * Math.Pow(4, -gained);
    }
}
