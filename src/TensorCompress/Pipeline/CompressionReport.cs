namespace TensorCompress.Pipeline;

/// <summary>What became of one layer.</summary>
/// <param name="Name">The layer's name.</param>
/// <param name="Method">Name of its method.</param>
/// <param name="OutputDimension">Rows of W.</param>
/// <param name="InputDimension">Columns of W.</param>
/// <param name="StoredBytes">Bytes of all its parts.</param>
/// <param name="BitsPerWeight">Stored bits over input x output.</param>
/// <param name="RelativeError">||W - W'|| / ||W||, Frobenius, measured on the stored form.</param>
/// <param name="OutputError">The same in the metric of the inputs, sqrt(tr((W - W') H (W - W')^T) / tr(W H W^T)), where W are the weights that the layer aims at; null without calibration.</param>
/// <param name="Elapsed">Time taken.</param>
/// <param name="Choices">What the method chose for this matrix alone, or what became of its options there; null where they say all.</param>
public sealed record LayerReport(
    string Name, string Method, int OutputDimension, int InputDimension, long StoredBytes, double BitsPerWeight, double RelativeError, double? OutputError, TimeSpan Elapsed, string? Choices = null);

/// <summary>What a compression job made.</summary>
public sealed record CompressionReport
{
    /// <summary>The compressed layers, in the order of the checkpoint.</summary>
    public required IReadOnlyList<LayerReport> Layers { get; init; }

    /// <summary>Sizes of the result.</summary>
    public required ModelSize Size { get; init; }

    /// <summary>Time taken, verification included.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>The largest resident memory of the process.</summary>
    public required long PeakBytes { get; init; }

    /// <summary>What a user should know about source or result.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }
}

/// <summary>How far a job is.</summary>
/// <param name="UnitsDone">Units (layers) done.</param>
/// <param name="UnitCount">Units in all.</param>
/// <param name="Unit">The unit at work.</param>
/// <param name="ShareDone">Share of the work done, 0 to 1, by parameters.</param>
/// <param name="Elapsed">Time since the beginning.</param>
/// <param name="Status">What is being done with the unit, in words for people, for instance round and error; null where nothing is told.</param>
public readonly record struct JobProgress(int UnitsDone, int UnitCount, string Unit, double ShareDone, TimeSpan Elapsed, string? Status = null)
{
    /// <summary>Time left, by the share done; null while too little is known.</summary>
    public TimeSpan? Remaining => ShareDone < 0.02 ? null : Elapsed * ((1 - ShareDone) / ShareDone);
}
