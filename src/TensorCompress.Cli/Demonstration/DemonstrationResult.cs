namespace TensorCompress.Cli.Demonstration;

/// <summary>One model of the demonstration, measured.</summary>
internal sealed record DemonstrationRow
{
    /// <summary>Name of the method; <c>dense</c> for the model as it ships.</summary>
    public required string Method { get; init; }

    /// <summary>The method's options for people, for instance <c>bits 4, group 64</c>.</summary>
    public required string Options { get; init; }

    /// <summary>All stored bits over all parameters.</summary>
    public required double BitsPerWeight { get; init; }

    /// <summary>Bytes of the weight file.</summary>
    public required long StoredBytes { get; init; }

    public required double Perplexity { get; init; }

    public required double PerplexityStandardError { get; init; }

    /// <summary>Mean KL divergence to the dense model in nats; null for the dense model itself.</summary>
    public required double? Kl { get; init; }

    /// <summary>Tokens generated per second, one at a time.</summary>
    public required double TokensPerSecond { get; init; }
}

/// <summary>What the demonstration found.</summary>
/// <param name="Rows">Dense first, then the methods in the order of the one list.</param>
/// <param name="StoryCount">Stories that perplexity and KL are measured on.</param>
/// <param name="TokenCount">Tokens that were scored.</param>
/// <param name="Prompt">What both texts continue.</param>
/// <param name="DenseText">Text of the dense model, prompt included.</param>
/// <param name="CompressedText">Text of the chosen compressed model.</param>
/// <param name="Chosen">The row of the compressed model that wrote the text: the smallest one that is still close to dense.</param>
internal sealed record DemonstrationResult(
    IReadOnlyList<DemonstrationRow> Rows, int StoryCount, long TokenCount, string Prompt, string DenseText, string CompressedText, DemonstrationRow Chosen)
{
    /// <summary>What the rows have in common, for the caption of the table.</summary>
    public const string Scope =
        "Each row compresses all linear layers of the blocks by one method; token embedding and head, which this model shares, are stored at 8 bits in every compressed row. "
        + "No row uses calibration or retraining. Bits per weight are all stored bytes, headers included, over all parameters.";
}
