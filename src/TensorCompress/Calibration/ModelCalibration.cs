using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Tensors;

namespace TensorCompress.Calibration;

/// <summary>Receives the statistics of an input and the names of the layers that read it; they are valid during the call only.</summary>
public delegate void StatisticsHandler(IReadOnlyList<string> layers, LayerStatistics statistics);

/// <summary>
/// One pass of a model over calibration texts, block by block. Memory: tokens x (hidden size + the widest input of a layer in a block) floats, and the statistics of one block.
/// </summary>
public static class ModelCalibration
{
    /// <summary>Collects the second moments of the inputs of every linear layer, the head's included.</summary>
    /// <param name="model">The model, usually dense.</param>
    /// <param name="windows">Token ids; each window is a text of its own.</param>
    /// <param name="handler">Called once for every input, in the order of computation.</param>
    /// <param name="progress">Told the share done, 0 to 1; may be null.</param>
    /// <param name="cancellationToken">Looked at between windows.</param>
    /// <exception cref="ArgumentException">There is no window, or one is empty, longer than the model's context, or holds an id outside the vocabulary.</exception>
    /// <exception cref="InsufficientMemoryException">There are more tokens than memory; the message says how many would fit.</exception>
    /// <exception cref="ArithmeticException">More than one in a hundred tokens has activations that are not finite.</exception>
    public static void Collect(
        LanguageModel model, IReadOnlyList<int[]> windows, StatisticsHandler handler, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(handler);
        ThrowIfUnfit(model.Definition, windows, runs: 1);
        using var run = new BlockwiseRun(model.Weights, windows, model.Options.Pool);
        int blocks = model.Definition.Blocks.Count;
        for (int block = 0; block < blocks; block++)
        {
            foreach (CalibrationPoint point in CalibrationPoint.Of(model.Definition.Blocks[block]))
            {
                run.Advance(block, point.Stage, cancellationToken);
                using LayerStatistics statistics = InputMoments.Of(run, model.Options.Pool).Statistics;
                handler([.. point.Linears.SelectMany(linear => linear.Parts).Select(linear => linear.Name)], statistics);
            }

            run.Advance(block, BlockStage.End, cancellationToken);
            progress?.Report((block + 1.0) / blocks);
        }

        using LayerStatistics head = CollectHead(model, run);
        handler([HeadName(model.Definition)], head);
    }

    /// <summary>The layer that makes the logits: the head, or the embedding that it is tied to.</summary>
    internal static string HeadName(ModelDefinition definition) => (definition.Head ?? definition.TokenEmbedding).Name;

    /// <summary>Refuses windows that the model cannot run, or the machine cannot hold.</summary>
    internal static void ThrowIfUnfit(ModelDefinition definition, IReadOnlyList<int[]> windows, int runs)
    {
        ArgumentNullException.ThrowIfNull(windows);
        if (windows.Count == 0) throw new ArgumentException("Calibration needs at least one window of tokens.", nameof(windows));
        BlockwiseRun.ThrowIfTooLarge(definition, windows.Sum(window => (long)window.Length), runs);
        foreach (int[] window in windows)
        {
            if (window.Length == 0 || window.Length > definition.ContextLength)
                throw new ArgumentException($"A window has {window.Length} tokens; the model takes 1 to {definition.ContextLength}.", nameof(windows));
            int outside = Array.FindIndex(window, id => (uint)id >= (uint)definition.VocabularySize);
            if (outside >= 0) throw new ArgumentException($"Token {window[outside]} is outside the vocabulary of {definition.VocabularySize}.", nameof(windows));
        }
    }

    private static LayerStatistics CollectHead(LanguageModel model, BlockwiseRun run)
    {
        using var moments = new SecondMomentAccumulator(model.Definition.HiddenSize, run.TokenCount, model.Options.Pool);
        using var normalized = new Matrix<float>(nint.Min(512, run.Residual.Rows), model.Definition.HiddenSize);
        for (nint start = 0; start < run.Residual.Rows; start += normalized.Rows)
        {
            nint count = nint.Min(normalized.Rows, run.Residual.Rows - start);
            model.Weights.FinalNorm.Forward(run.Residual.RowRange(start, count), normalized.RowRange(0, count));
            moments.Add(normalized.RowRange(0, count));
        }

        return moments.Finish().Statistics;
    }
}
