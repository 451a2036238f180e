using TensorCompress.Caching;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Inference;

/// <summary>
/// Runs texts through a model block by block and, in a block, from one place whose activations are the input of matrices to the next: all texts are there before any goes on, so that the matrices can be
/// replaced by what their inputs say, and no part of the model runs twice. Memory: tokens x (hidden + the widest place) floats and the scratch of one window.
/// </summary>
internal sealed class BlockwiseRun : IDisposable
{
    private readonly ModelWeights _weights;
    private readonly TransformerExecutor _executor;
    private readonly int[][] _windows;
    private readonly nint[] _starts;
    private readonly Matrix<float> _residual;
    private readonly Matrix<float> _inputs;
    private readonly ComputeContext _context;
    private int _block = -1;
    private BlockStage _stage = BlockStage.End;

    /// <summary>Embeds the windows.</summary>
    /// <param name="weights">The model; its <see cref="ModelWeights.Blocks"/> are looked at anew by every stage. Not disposed.</param>
    /// <param name="windows">Token ids; each window is a text of its own.</param>
    /// <param name="pool">Threads.</param>
    public BlockwiseRun(ModelWeights weights, IReadOnlyList<int[]> windows, ComputePool pool)
    {
        _weights = weights;
        _executor = new TransformerExecutor(weights);
        _windows = [.. windows];
        _context = new ComputeContext(pool);
        var tokens = (nint)windows.Sum(window => (long)window.Length);
        _residual = new Matrix<float>(tokens, weights.Definition.HiddenSize);
        _inputs = new Matrix<float>(tokens, WidestPlace(weights.Definition));
        _starts = new nint[_windows.Length];
        for (int window = 0; window < _windows.Length; window++)
        {
            if (window > 0) _starts[window] = _starts[window - 1] + _windows[window - 1].Length;
            _executor.Embed(_windows[window], 0, OfWindow(Residual, window));
        }
    }

    /// <summary>Tokens of all windows.</summary>
    public long TokenCount => _residual.Rows;

    /// <summary>The residual stream of all windows, one behind the other, [tokens, hidden]: what the outputs of the matrices that come next are added to.</summary>
    public MatrixView<float> Residual => _residual.View;

    /// <summary>Inputs of the matrices that come next, [tokens, width]; nothing at the end of a block.</summary>
    public MatrixView<float> Inputs => _inputs.View.ColumnRange(0, WidthAt(_block, _stage));

    private static IEnumerable<BlockStage> Stages => Enum.GetValues<BlockStage>();

    /// <summary>Refuses texts that the machine has no memory for: that which it has, within the limit of a container, less what this process holds already.</summary>
    /// <param name="definition">The model.</param>
    /// <param name="tokens">Tokens of all windows.</param>
    /// <param name="runs">Runs over them side by side.</param>
    /// <exception cref="InsufficientMemoryException">They do not fit; the message says how many tokens would.</exception>
    public static void ThrowIfTooLarge(ModelDefinition definition, long tokens, int runs)
    {
        long bytesPerToken = (long)runs * (definition.HiddenSize + WidestPlace(definition)) * sizeof(float);
        long available = Math.Max(0, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - Environment.WorkingSet), most = available / bytesPerToken;
        if (tokens <= most) return;
        throw new InsufficientMemoryException(
            $"{tokens} tokens of calibration text take {bytesPerToken} bytes each, {tokens * (double)bytesPerToken / (1 << 20):F0} MiB, and there are {available >> 20} MiB: at most {most} tokens fit.");
    }

    /// <summary>Runs all windows to a place ahead.</summary>
    /// <param name="block">Index of the block.</param>
    /// <param name="stage">The place in the block.</param>
    /// <param name="cancellationToken">Looked at between windows.</param>
    public void Advance(int block, BlockStage stage, CancellationToken cancellationToken)
    {
        while ((_block, _stage) != (block, stage))
        {
            (int Block, BlockStage Stage) next = _stage == BlockStage.End ? (_block + 1, BlockStage.AttentionNorm) : (_block, _stage + 1);
            for (int window = 0; window < _windows.Length; window++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                RunStage(next.Block, next.Stage, window);
            }

            (_block, _stage) = next;
        }
    }

    /// <summary>Frees the stream.</summary>
    public void Dispose()
    {
        _residual.Dispose();
        _inputs.Dispose();
        _context.Dispose();
    }

    private static int WidestPlace(ModelDefinition definition) => definition.Blocks.Max(block => Stages.Max(stage => Width(block, stage)));

    private static int Width(BlockDefinition block, BlockStage stage) => stage switch
    {
        BlockStage.AttentionNorm => block.Attention.Projections[0].InputDimension,
        BlockStage.AttentionMix => block.Attention.Output.InputDimension,
        BlockStage.FeedForwardNorm => block.FeedForward.Up.InputDimension,
        BlockStage.FeedForwardActivation => block.FeedForward.Down.InputDimension,
        _ => 0,
    };

    private int WidthAt(int block, BlockStage stage) => block < 0 ? 0 : Width(_weights.Definition.Blocks[block], stage);

    private MatrixView<float> OfWindow(MatrixView<float> tokens, int window) => tokens.RowRange(_starts[window], _windows[window].Length);

    private void RunStage(int block, BlockStage stage, int window)
    {
        MatrixView<float> residual = OfWindow(Residual, window), before = OfWindow(Inputs, window);
        AttentionDefinition attention = _weights.Definition.Blocks[block].Attention;
        using var cache = new SingleBlockCache(new FloatKeyValueCache(1, attention.KeyValueHeadCount, attention.HeadDimension, (int)residual.Rows));
        if (stage == BlockStage.AttentionMix) cache.Reserve((int)residual.Rows);
        // The inputs at one place make room for those at the next.
        using ScratchLease inputs = _context.Rent(before.Rows, before.Columns);
        before.CopyTo(inputs.View);
        _executor.RunStage(stage, block, residual, inputs.View, OfWindow(_inputs.View, window).ColumnRange(0, WidthAt(block, stage)), 0, cache, _context);
    }
}
