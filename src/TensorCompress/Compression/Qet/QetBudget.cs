using System.Globalization;

namespace TensorCompress.Compression.Qet;

/// <summary>Spends what a plan leaves of a budget, and moves it between stages.</summary>
internal static class QetBudget
{
    /// <summary>Centroids of a group that plans are made with: more take longer than they are worth.</summary>
    public const int MostCentroids = 1 << 12;

    private const int MostCodebookBits = 16;

    /// <summary>
    /// More of everything that still fits: centroids doubled, stage after stage in turns; then as many more as fit, where they are fewest first, because a code has its bits whatever the number; then finer numbers of codebooks,
    /// and a grid for each group.
    /// </summary>
    /// <param name="plan">Within the budget.</param>
    /// <param name="maxBytes">The budget.</param>
    public static QetPlan Spend(QetPlan plan, long maxBytes)
    {
        int most = (int)nint.Min(plan.Rows, MostCentroids);
        bool[] ends = new bool[plan.Centroids.Count];
        for (int stage = 0; ends.Contains(false); stage = (stage + 1) % ends.Length)
        {
            int doubled = Math.Min(most, 2 * plan.Centroids[stage]);
            if (!ends[stage] && doubled > plan.Centroids[stage] && With(plan, stage, doubled) is { } larger && larger.StoredBytes <= maxBytes) plan = larger;
            else ends[stage] = true;
        }

        foreach (int stage in Enumerable.Range(0, ends.Length).OrderBy(stage => plan.Centroids[stage]).ToArray()) plan = With(plan, stage, MostThatFit(plan, stage, Math.Min(most, 2 * plan.Centroids[stage]), maxBytes));
        return SpendOnNumbers(plan, maxBytes);
    }

    /// <summary>A code bit of one stage for another one, and what that leaves is spent; null where there is none or it does not fit.</summary>
    /// <param name="plan">Within the budget.</param>
    /// <param name="from">The stage that gives.</param>
    /// <param name="to">The stage that takes.</param>
    /// <param name="maxBytes">The budget.</param>
    public static QetPlan? Move(QetPlan plan, int from, int to, long maxBytes)
    {
        int fewer = 1 << Math.Max(0, plan.CodeBits(from) - 1), more = (int)nint.Min(nint.Min(plan.Rows, MostCentroids), 2 << plan.CodeBits(to));
        if (fewer == plan.Centroids[from] || more <= plan.Centroids[to]) return null;
        QetPlan less = With(plan, from, fewer), moved = With(less, to, MostThatFit(less, to, more, maxBytes));
        return moved.Centroids[to] > plan.Centroids[to] ? Spend(moved, maxBytes) : null;
    }

    /// <summary>Numbers of codebooks of other bits, and what that leaves is spent; where it does not fit, with fewer centroids in all stages; null where nothing does.</summary>
    /// <param name="plan">Within the budget.</param>
    /// <param name="codebookBits">Bits of a number.</param>
    /// <param name="gridPerGroup">Whether each group has a grid.</param>
    /// <param name="maxBytes">The budget.</param>
    public static QetPlan? Round(QetPlan plan, int codebookBits, bool gridPerGroup, long maxBytes)
    {
        QetPlan rounded = plan.WithOptions(plan.Options with { CodebookBits = codebookBits, GridPerGroup = gridPerGroup });
        while (rounded.StoredBytes > maxBytes)
        {
            if (rounded.Centroids.All(count => count == 1)) return null;
            rounded = rounded.WithCentroids([.. rounded.Centroids.Select((count, stage) => count == 1 ? 1 : 1 << (rounded.CodeBits(stage) - 1))]);
        }

        return Spend(rounded, maxBytes);
    }

    /// <summary>Bytes in words, with bits per weight that pay for them: rounded up to a few digits.</summary>
    public static string Named(long bytes, nint rows, nint columns)
    {
        double elements = (double)rows * columns, exact = bytes * 8 / elements, unit = Math.Pow(10, Math.Floor(Math.Log10(exact)) - 3);
        for (double digits = Math.Ceiling(exact / unit); ; digits++)
        {
            string bits = (digits * unit).ToString("G4", CultureInfo.InvariantCulture);
            if (QetMethodOptions.BudgetFor(double.Parse(bits, CultureInfo.InvariantCulture), rows, columns) >= bytes) return $"{bits} bits per weight ({bytes} bytes)";
        }
    }

    private static QetPlan With(QetPlan plan, int stage, int centroids) => plan.WithCentroids([.. plan.Centroids.Select((count, index) => index == stage ? centroids : count)]);

    private static int MostThatFit(QetPlan plan, int stage, int most, long maxBytes)
    {
        int fits = plan.Centroids[stage], doesNot = most + 1;
        while (doesNot - fits > 1)
        {
            int middle = fits + (doesNot - fits) / 2;
            if (With(plan, stage, middle).StoredBytes <= maxBytes) fits = middle;
            else doesNot = middle;
        }

        return fits;
    }

    private static QetPlan SpendOnNumbers(QetPlan plan, long maxBytes)
    {
        for (int bits = MostCodebookBits; bits > plan.Options.CodebookBits; bits--)
        {
            if (plan.WithOptions(plan.Options with { CodebookBits = bits }) is not { } finer || finer.StoredBytes > maxBytes) continue;
            plan = finer;
            break;
        }

        return plan.Options.Subspaces > 1 && plan.WithOptions(plan.Options with { GridPerGroup = true }) is { } grids && grids.StoredBytes <= maxBytes ? grids : plan;
    }
}
