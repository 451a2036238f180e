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
    public void Run(CalibrationOptions options, CancellationToken cancellationToken)
    {
        ModelCalibration.ThrowIfUnfit(model.Definition, windows);
        IReadOnlyList<BlockDefinition> blocks = model.Definition.Blocks;
        ModelWeights weights = model.Weights, dense = weights with { Blocks = [.. weights.Blocks] };
        using var run = new BlockwiseRun(weights, windows, Pool);
        using BlockwiseRun? denseRun = options.CompressedPrefix && options.Target == CalibrationTarget.DenseOutputs ? new BlockwiseRun(dense, windows, Pool) : null;
        int last = blocks.Count - 1;
        while (last >= 0 && !blocks[last].Linears.Any(linear => isChosen(linear))) last--;
        for (int block = 0; block <= last; block++)
        {
            try
            {
                CalibrationPoint[] points = [.. CalibrationPoint.Of(blocks[block]).Where(point => point.Linears.Any(linear => isChosen(linear)))];
                if (!options.CompressedPrefix && points.Length > 0) CompressAt(points, run, block, replace: false, cancellationToken);
                foreach (CalibrationPoint point in options.CompressedPrefix ? points : [])
                {
                    if (denseRun is null) CompressAt([point], run, block, replace: true, cancellationToken);
                    else CompressBeside(point, run, denseRun, block, options.TargetShare, cancellationToken);
                }

                if (block == last) return;
                denseRun?.Advance(block, cancellationToken);
                run.Advance(block, cancellationToken);
            }
            finally
            {
                foreach (LinearLayer replaced in dense.Blocks[block].Layers.Except(weights.Blocks[block].Layers)) replaced.Dispose();
            }
        }
    }

    private void CompressAt(CalibrationPoint[] points, BlockwiseRun run, int block, bool replace, CancellationToken cancellationToken)
    {
        using var probe = new SecondMomentProbe(points, run.TokenCount, Pool);
        run.Observe(block, probe, cancellationToken);
        foreach (CalibrationPoint point in points)
        {
            using LayerStatistics statistics = probe.Finish(point.Place);
            Compress(point, statistics, null, block, replace);
        }
    }

    /// <summary>Compresses the layers of a place that is reached by a dense model too.</summary>
    private void CompressBeside(CalibrationPoint point, BlockwiseRun run, BlockwiseRun denseRun, int block, double share, CancellationToken cancellationToken)
    {
        using var probe = new PairedMomentProbe(point, model.Definition, block, run, Pool);
        for (int window = 0; window < run.WindowCount; window++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            probe.Observe(run, denseRun, window);
        }

        using DenseOutputTarget target = probe.Finish(share);
        Compress(point, target.Statistics, target, block, replace: true);
    }

    private void Compress(CalibrationPoint point, LayerStatistics statistics, DenseOutputTarget? target, int block, bool replace)
    {
        foreach (LinearDefinition linear in point.Linears.Where(linear => isChosen(linear)))
        {
            CompressedWeight compressed = compress(linear, statistics, target);
            if (!replace) continue;
            BlockWeights[] blocks = model.Weights.Blocks;
            blocks[block] = blocks[block].Replace(model.Definition.Blocks[block], linear, compressed.CreateLayer(RuntimeOptions.Exact));
        }
    }
}
