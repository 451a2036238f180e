using TensorCompress.Cli.Demonstration;

namespace TensorCompress.Cli.Reports;

/// <summary>The demonstration's table as texts, for the terminal and for the page alike.</summary>
internal static class DemonstrationTable
{
    /// <summary>Names of the columns, and whether they hold numbers.</summary>
    public static IReadOnlyList<(string Name, bool IsNumber)> Columns { get; } =
        [("method", false), ("options", false), ("bits per weight", true), ("bytes", true), ("perplexity", true), ("KL to dense", true), ("tokens/s", true)];

    /// <summary>The cells of a row, one per column.</summary>
    public static string[] Cells(DemonstrationRow row) =>
    [
        row.Method,
        row.Options,
        Figures.Bits(row.BitsPerWeight),
        Figures.Count(row.StoredBytes),
        $"{Figures.Significant(row.Perplexity)} ± {Figures.Significant(row.PerplexityStandardError, 2)}",
        row.Kl is { } kl ? Figures.Significant(kl, 3) : "-",
        Figures.Count((long)row.TokensPerSecond),
    ];

    /// <summary>What the table shows and how it was measured.</summary>
    public static string Caption(DemonstrationResult result) =>
        $"{DemonstrationResult.Scope} Perplexity with its standard error, and KL divergence in nats, over {Figures.Count(result.TokenCount)} tokens of {result.StoryCount} stories; "
        + "tokens/s of one text, generated token by token.";
}
