using TensorCompress.Inference;
using TensorCompress.Models;

namespace TensorCompress.Calibration;

/// <summary>A place of a block whose activations are the input of one or more of its matrices.</summary>
/// <param name="Place">The place.</param>
/// <param name="Linears">The matrices that read it, in the order of computation.</param>
internal sealed record CalibrationPoint(ActivationPoint Place, IReadOnlyList<LinearDefinition> Linears)
{
    /// <summary>Channels.</summary>
    public int Dimension => Linears[0].InputDimension;

    /// <summary>The places of a block in the order of computation.</summary>
    public static IReadOnlyList<CalibrationPoint> Of(BlockDefinition block)
    {
        FeedForwardDefinition feedForward = block.FeedForward;
        return
        [
            new(ActivationPoint.AttentionNorm, block.Attention.Projections),
            new(ActivationPoint.AttentionMix, [block.Attention.Output]),
            new(ActivationPoint.FeedForwardNorm, feedForward.Gate is null ? [feedForward.Up] : [feedForward.Gate, feedForward.Up]),
            new(ActivationPoint.FeedForwardActivation, [feedForward.Down]),
        ];
    }
}
