using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Models;

namespace TensorCompress.Pipeline;

/// <summary>Runs calibration texts through a model block by block and compresses each layer as soon as the statistics of its inputs are known.</summary>
/// <param name="model">The dense model, for this pass alone: its layers are replaced as they are compressed.</param>
/// <param name="windows">Token ids.</param>
/// <param name="isChosen">Whether a layer is to be compressed.</param>
/// <param name="compress">Compresses a layer.</param>
internal sealed class CalibratedPass(
    LanguageModel model, IReadOnlyList<int[]> windows, Predicate<LinearDefinition> isChosen, Func<LinearDefinition, LayerStatistics, CompressedWeight> compress)
{
    /// <summary>Compresses all chosen layers of the blocks.</summary>
    /// <param name="compressedPrefix">Whether a layer sees what the compressed layers before it give, or the dense ones.</param>
    /// <param name="cancellationToken">Looked at between windows.</param>
    /// <exception cref="ArgumentException">The windows do not fit the model.</exception>
    public void Run(bool compressedPrefix, CancellationToken cancellationToken)
    {
        ModelCalibration.ThrowIfUnfit(model.Definition, windows);
        using var run = new BlockwiseRun(model.Weights, windows, model.Options.Pool);
        IReadOnlyList<BlockDefinition> blocks = model.Definition.Blocks;
        int last = blocks.Count - 1;
        while (last >= 0 && !blocks[last].Linears.Any(linear => isChosen(linear))) last--;
        for (int block = 0; block <= last; block++)
        {
            CalibrationPoint[] points = [.. CalibrationPoint.Of(blocks[block]).Where(point => point.Linears.Any(linear => isChosen(linear)))];
            if (compressedPrefix)
            {
                foreach (CalibrationPoint point in points) CompressAt([point], run, block, replace: true, cancellationToken);
            }
            else if (points.Length > 0)
            {
                CompressAt(points, run, block, replace: false, cancellationToken);
            }

            if (block < last) run.Advance(block, cancellationToken);
        }
    }

    private void CompressAt(CalibrationPoint[] points, BlockwiseRun run, int block, bool replace, CancellationToken cancellationToken)
    {
        using var probe = new SecondMomentProbe(points, run.TokenCount, model.Options.Pool);
        run.Observe(block, probe, cancellationToken);
        foreach (CalibrationPoint point in points)
        {
            using LayerStatistics statistics = probe.Finish(point.Place);
            foreach (LinearDefinition linear in point.Linears.Where(linear => isChosen(linear)))
            {
                CompressedWeight compressed = compress(linear, statistics);
                if (!replace) continue;
                BlockWeights[] blocks = model.Weights.Blocks;
                blocks[block] = blocks[block].Replace(model.Definition.Blocks[block], linear, compressed.CreateLayer(RuntimeOptions.Exact));
            }
        }
    }
}
