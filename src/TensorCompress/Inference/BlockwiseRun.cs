using TensorCompress.Caching;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Inference;

/// <summary>
/// Runs texts through a model block by block: the residual stream of all tokens is kept, so that the layers of a block can be looked at, replaced, and looked at again before the
/// stream moves on. Memory: tokens x hidden floats and the scratch of one window.
/// </summary>
internal sealed class BlockwiseRun : IDisposable
{
    private readonly ModelWeights _weights;
    private readonly TransformerExecutor _executor;
    private readonly int[][] _windows;
    private readonly nint[] _starts;
    private readonly Matrix<float> _residual;
    private readonly ComputeContext _context;

    /// <summary>Embeds the windows.</summary>
    /// <param name="weights">The model; its <see cref="ModelWeights.Blocks"/> are looked at anew by every run. Not disposed.</param>
    /// <param name="windows">Token ids; each window is a text of its own.</param>
    /// <param name="pool">Threads.</param>
    public BlockwiseRun(ModelWeights weights, IReadOnlyList<int[]> windows, ComputePool pool)
    {
        _weights = weights;
        _executor = new TransformerExecutor(weights);
        _windows = [.. windows];
        _context = new ComputeContext(pool);
        _residual = new Matrix<float>((nint)windows.Sum(window => (long)window.Length), weights.Definition.HiddenSize);
        _starts = new nint[_windows.Length];
        for (int window = 0; window < _windows.Length; window++)
        {
            if (window > 0) _starts[window] = _starts[window - 1] + _windows[window - 1].Length;
            _executor.Embed(_windows[window], 0, ResidualOf(window));
        }
    }

    /// <summary>Number of windows.</summary>
    public int WindowCount => _windows.Length;

    /// <summary>Tokens of all windows.</summary>
    public long TokenCount => _residual.Rows;

    /// <summary>The residual stream before the next block, [tokens, hidden].</summary>
    public MatrixView<float> Residual => _residual.View;

    /// <summary>Runs a block over all windows without moving the stream.</summary>
    /// <param name="block">Index of the block before which the stream stands.</param>
    /// <param name="probe">Looks at the activations; first positions count from 0 in each window.</param>
    /// <param name="cancellationToken">Looked at between windows.</param>
    public void Observe(int block, ActivationProbe probe, CancellationToken cancellationToken)
    {
        for (int window = 0; window < _windows.Length; window++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Observe(window, block, probe);
        }
    }

    /// <summary>Runs a block over one window without moving the stream.</summary>
    /// <param name="window">Index of the window.</param>
    /// <param name="block">Index of the block before which the stream stands.</param>
    /// <param name="probe">Looks at the activations; first positions count from 0.</param>
    public void Observe(int window, int block, ActivationProbe probe)
    {
        MatrixView<float> residual = ResidualOf(window);
        using ScratchLease copy = _context.Rent(residual.Rows, residual.Columns);
        residual.CopyTo(copy.View);
        Run(block, copy.View, probe);
    }

    /// <summary>The residual stream of one window before the next block, [tokens, hidden].</summary>
    public MatrixView<float> ResidualOf(int window) => _residual.RowRange(_starts[window], _windows[window].Length);

    /// <summary>Runs a block over all windows and moves the stream behind it.</summary>
    /// <param name="block">Index of the block before which the stream stands.</param>
    /// <param name="cancellationToken">Looked at between windows.</param>
    public void Advance(int block, CancellationToken cancellationToken)
    {
        for (int window = 0; window < _windows.Length; window++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Run(block, ResidualOf(window), null);
        }
    }

    /// <summary>Frees the stream.</summary>
    public void Dispose()
    {
        _residual.Dispose();
        _context.Dispose();
    }

    private void Run(int block, MatrixView<float> residual, ActivationProbe? probe)
    {
        AttentionDefinition attention = _weights.Definition.Blocks[block].Attention;
        using var cache = new SingleBlockCache(new FloatKeyValueCache(1, attention.KeyValueHeadCount, attention.HeadDimension, (int)residual.Rows));
        cache.Reserve((int)residual.Rows);
        _executor.RunBlock(block, residual, 0, cache, _context, probe);
    }
}
