using TensorCompress.Inference;
using TensorCompress.Models;

namespace TensorCompress.Calibration;

/// <summary>A place of a block whose activations are the input of one or more of its matrices.</summary>
/// <param name="Stage">The place.</param>
/// <param name="Linears">The matrices that read it, in the order of computation.</param>
internal sealed record CalibrationPoint(BlockStage Stage, IReadOnlyList<LinearDefinition> Linears)
{
    /// <summary>Channels.</summary>
    public int Dimension => Linears[0].InputDimension;

    /// <summary>The places of a block in the order of computation.</summary>
    public static IReadOnlyList<CalibrationPoint> Of(BlockDefinition block)
    {
        FeedForwardDefinition feedForward = block.FeedForward;
        return
        [
            new(BlockStage.AttentionNorm, block.Attention.Projections),
            new(BlockStage.AttentionMix, [block.Attention.Output]),
            new(BlockStage.FeedForwardNorm, feedForward.Gate is null ? [feedForward.Up] : [feedForward.Gate, feedForward.Up]),
            new(BlockStage.FeedForwardActivation, [feedForward.Down]),
        ];
    }

    /// <summary>Whether the outputs of the place's matrix are added to the residual stream as they are, so that they can make good what it lacks.</summary>
    /// <param name="block">The block.</param>
    public bool WritesResidual(BlockDefinition block) => !block.IsParallel && Stage switch
    {
        BlockStage.AttentionMix => block.AttentionPostNorm is null,
        BlockStage.FeedForwardActivation => block.FeedForwardPostNorm is null,
        _ => false,
    };
}
