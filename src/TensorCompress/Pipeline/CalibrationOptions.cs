using TensorCompress.Calibration;
using TensorCompress.Compression;

namespace TensorCompress.Pipeline;

/// <summary>Where a compression job takes the statistics of the layers' inputs from: texts, or a file of statistics.</summary>
public sealed record CalibrationOptions
{
    /// <summary>
    /// Token ids of calibration texts; each window is a text of its own. They take tokens x (hidden size + the widest input of a layer in a block) x 4 bytes of memory, twice where layers aim at
    /// <see cref="CalibrationTarget.DenseOutputs"/>; more than there is is refused with the number that fits.
    /// </summary>
    public IReadOnlyList<int[]>? Windows { get; init; }

    /// <summary>A file that <see cref="CalibrationFile.Write"/> made of the same model, in place of texts.</summary>
    public string? StatisticsFile { get; init; }

    /// <summary>
    /// Whether a layer sees the inputs that the compressed layers before it give (so it can make good some of their errors) or those of the dense model. Only with texts.
    /// </summary>
    public bool CompressedPrefix { get; init; } = true;

    /// <summary>What a layer behind compressed layers aims at. Without <see cref="CompressedPrefix"/> both are the same.</summary>
    public CalibrationTarget Target { get; init; } = CalibrationTarget.DenseOutputs;

    /// <summary>
    /// Part of the second moments off their diagonals, 0 to 1, that methods are not told of (<see cref="LayerStatistics.WithShrinkage"/>), for texts of few tokens; 0 by default. Reported output
    /// errors are by the whole moments.
    /// </summary>
    public double Shrinkage { get; init; }

    /// <summary>Part of the way to <see cref="CalibrationTarget.DenseOutputs"/> that is gone, 0 to 1; for comparisons.</summary>
    internal double TargetShare { get; init; } = DenseOutputTarget.DefaultShare;

    /// <summary>Refuses what contradicts itself.</summary>
    /// <exception cref="ArgumentException">There are neither windows nor a file, or both, or the shrinkage is not 0 to 1.</exception>
    internal void ThrowIfUnfit()
    {
        if (!(Shrinkage is >= 0 and <= 1)) throw new ArgumentException($"A shrinkage is 0 to 1, not {Shrinkage}.");
        if (Windows is null == StatisticsFile is null) throw new ArgumentException("Calibration takes either windows of tokens or a file of statistics.");
    }
}

/// <summary>What a layer behind compressed layers aims at.</summary>
public enum CalibrationTarget
{
    /// <summary>To do what the dense layer would do with the same inputs.</summary>
    Weights,

    /// <summary>
    /// To give what the dense model has in its place: the layer takes back what the errors of the layers before it have done to its inputs and, where its outputs are added to the
    /// residual stream, to that. Takes a second pass of the dense model beside the first.
    /// </summary>
    DenseOutputs,
}
