using TensorCompress.Tensors;

namespace TensorCompress.Layers;

/// <summary>Loops over rows of weights that become floats for a while: a few at a time, in scratch memory that each thread has once.</summary>
internal static class RowBlocks
{
    /// <summary>Rows of a block: together with the inputs of a block of tokens they stay in the second-level cache.</summary>
    private const int BlockRows = 16;

    /// <summary>Multiplications that are worth a thread's attention.</summary>
    private const long MinimumWorkPerThread = 1 << 16;

    /// <summary>Runs a body for every block.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns of the scratch memory.</param>
    /// <param name="tokens">Tokens that will be multiplied.</param>
    /// <param name="state">What the body works on.</param>
    /// <param name="context">Threads and scratch memory.</param>
    /// <param name="body">Called with the first row, the number of rows, scratch memory and the state; concurrently.</param>
    public static void ForEach<TState>(int rows, int columns, int tokens, TState state, ComputeContext context, Action<int, int, MatrixView<float>, TState> body)
    {
        int threads = (int)Math.Clamp((long)rows * columns * tokens / MinimumWorkPerThread, 1, context.Pool.Threads);
        using ScratchLease lease = context.Rent((nint)threads * BlockRows, columns);
        context.Distribute((rows - 1) / BlockRows + 1, threads, (rows, lease.View, state, body), static (thread, block, loop) =>
        {
            int start = block * BlockRows, count = Math.Min(BlockRows, loop.rows - start);
            loop.body(start, count, loop.View.RowRange((nint)thread * BlockRows, count), loop.state);
        });
    }
}
