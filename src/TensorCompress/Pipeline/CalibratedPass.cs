using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Threading;

namespace TensorCompress.Pipeline;

/// <summary>Runs calibration texts through a model block by block and compresses each layer as soon as the statistics of its inputs are known.</summary>
/// <param name="model">The dense model, for this pass alone: its layers are replaced as they are compressed.</param>
/// <param name="windows">Token ids.</param>
/// <param name="isChosen">Whether a layer is to be compressed.</param>
/// <param name="compress">Compresses a layer; told what to aim at where that is not its weights.</param>
internal sealed class CalibratedPass(
    LanguageModel model, IReadOnlyList<int[]> windows, Predicate<LinearDefinition> isChosen, Func<LinearDefinition, LayerStatistics, DenseOutputTarget?, CompressedWeight> compress)
{
    private ComputePool Pool => model.Options.Pool;

    /// <summary>Compresses all chosen layers of the blocks.</summary>
    /// <param name="options">What the layers see and aim at.</param>
    /// <param name="cancellationToken">Looked at between windows.</param>
    /// <exception cref="ArgumentException">The windows do not fit the model.</exception>
    /// <exception cref="InsufficientMemoryException">There are more tokens than memory.</exception>
    public void Run(CalibrationOptions options, CancellationToken cancellationToken)
    {
        bool hasDenseRun = options.CompressedPrefix && options.Target == CalibrationTarget.DenseOutputs;
        ModelCalibration.ThrowIfUnfit(model.Definition, windows, hasDenseRun ? 2 : 1);
        IReadOnlyList<BlockDefinition> blocks = model.Definition.Blocks;
        ModelWeights weights = model.Weights, dense = weights with { Blocks = [.. weights.Blocks] };
        using var run = new BlockwiseRun(weights, windows, Pool);
        using BlockwiseRun? denseRun = hasDenseRun ? new BlockwiseRun(dense, windows, Pool) : null;
        int last = blocks.Count - 1;
        while (last >= 0 && !blocks[last].Linears.Any(linear => isChosen(linear))) last--;
        for (int block = 0; block <= last; block++)
        {
            try
            {
                foreach (CalibrationPoint point in CalibrationPoint.Of(blocks[block]).Where(point => point.Linears.Any(linear => isChosen(linear))))
                {
                    run.Advance(block, point.Stage, cancellationToken);
                    denseRun?.Advance(block, point.Stage, cancellationToken);
                    CompressAt(point, run, denseRun, block, options);
                }

                if (block == last) return;
                run.Advance(block, BlockStage.End, cancellationToken);
                denseRun?.Advance(block, BlockStage.End, cancellationToken);
            }
            finally
            {
                foreach (LinearLayer replaced in dense.Blocks[block].Layers.Except(weights.Blocks[block].Layers)) replaced.Dispose();
            }
        }
    }

    private void CompressAt(CalibrationPoint point, BlockwiseRun run, BlockwiseRun? denseRun, int block, CalibrationOptions options)
    {
        BlockDefinition definition = model.Definition.Blocks[block];
        using InputMoments moments = denseRun is null ? InputMoments.Of(run, Pool) : InputMoments.Beside(run, denseRun, point, definition, Pool);
        using DenseOutputTarget? target = denseRun is null ? null : new DenseOutputTarget(moments, options.TargetShare, Pool);
        foreach (LinearDefinition linear in point.Linears.Where(linear => isChosen(linear)))
        {
            CompressedWeight compressed = compress(linear, moments.Statistics, target);
            if (!options.CompressedPrefix) continue;
            BlockWeights[] compressedBlocks = model.Weights.Blocks;
            compressedBlocks[block] = compressedBlocks[block].Replace(definition, linear, compressed.CreateLayer(RuntimeOptions.Exact));
        }
    }
}
