using TensorCompress.Kernels;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Layers;

/// <summary>What a computation needs besides its operands: threads and reusable scratch memory. Belongs to one session; not thread-safe.</summary>
/// <param name="pool">Threads; may be shared with other contexts.</param>
public sealed class ComputeContext(ComputePool pool) : IDisposable
{
    /// <summary>Activations that are worth a thread's attention when they are quantised.</summary>
    private const int ValuesPerRange = 1 << 13;

    private readonly List<Matrix<float>> _blocks = [];
    private readonly ActivationCodes _codes = new();
    private readonly List<SignTables> _signTables = [];
    private ActivationBatch? _coded;
    private int _block;
    private nint _used;
    private int _next; // index of a distributed loop

    /// <summary>The threads.</summary>
    public ComputePool Pool { get; } = pool;

    /// <summary>Bytes of scratch memory held.</summary>
    public long ScratchBytes => _blocks.Sum(block => block.ByteLength) + _codes.ByteLength + _signTables.Sum(tables => tables.ByteLength) + SignCodes.ByteLength;

    /// <summary>Room for the 8-bit activations of one product of few signs at a time.</summary>
    internal SignCodes SignCodes { get; } = new();

    /// <summary>Room for the tables of one product of signs at a time.</summary>
    /// <param name="copy">Threads that build tables of their own have one each. A number is asked for before other threads ask for it.</param>
    internal SignTables SignTables(int copy)
    {
        while (_signTables.Count <= copy) _signTables.Add(new SignTables());
        return _signTables[copy];
    }

    /// <summary>Borrows a matrix with undefined content until the lease is disposed. Leases end in reverse order.</summary>
    public ScratchLease Rent(nint rows, nint columns)
    {
        nint needed = checked((rows * columns + 15) / 16 * 16); // whole cache lines
        (int block, nint used) mark = (_block, _used);
        while (_block < _blocks.Count && _blocks[_block].Columns - _used < needed)
        {
            _block++;
            _used = 0;
        }

        if (_block == _blocks.Count) _blocks.Add(new Matrix<float>(1, nint.Max(needed, 1 << 16)));
        var view = new MatrixView<float>(_blocks[_block], _used, rows, columns, columns);
        _used += needed;
        return new ScratchLease(this, view, mark.block, mark.used);
    }

    /// <summary>The integer form of a batch, made once however many layers take the batch one after the other; valid until another batch is asked for.</summary>
    internal ActivationCodes Codes(ActivationBatch batch)
    {
        if (ReferenceEquals(batch, _coded)) return _codes;
        _coded = null;
        _codes.Reserve(batch.TokenCount, batch.Dimension);
        Pool.For(batch.TokenCount, nint.Max(1, ValuesPerRange / batch.Dimension), (_codes, batch.Values), static (start, end, state) =>
        {
            for (nint token = start; token < end; token++) state._codes.Quantize((int)token, state.Values.Row(token));
        });
        _coded = batch;
        return _codes;
    }

    /// <summary>Runs a body for every index, indexes handed out one by one in ascending order to at most so many threads. One such loop at a time.</summary>
    /// <param name="count">Number of indexes.</param>
    /// <param name="threads">Threads at most; each has a number below this, so that scratch memory can be rented for all of them before.</param>
    /// <param name="state">What the body works on.</param>
    /// <param name="body">Called with the thread's number, the index and the state; no two calls at a time have the same number.</param>
    internal void Distribute<TState>(int count, int threads, TState state, Action<int, int, TState> body)
    {
        _next = -1;
        Pool.For(Math.Min(threads, count), 1, (this, count, state, body), static (start, end, loop) =>
        {
            (ComputeContext context, int count, TState state, Action<int, int, TState> body) = loop;
            for (nint thread = start; thread < end; thread++)
            {
                for (int index = Interlocked.Increment(ref context._next); index < count; index = Interlocked.Increment(ref context._next)) body((int)thread, index, state);
            }
        });
    }

    /// <summary>Frees the scratch memory; no lease may be open.</summary>
    public void Dispose()
    {
        _codes.Dispose();
        foreach (SignTables tables in _signTables) tables.Dispose();
        _signTables.Clear();
        SignCodes.Dispose();
        _coded = null;
        foreach (Matrix<float> block in _blocks) block.Dispose();
        _blocks.Clear();
        _block = 0;
        _used = 0;
    }

    internal void Return(int block, nint used)
    {
        _block = block;
        _used = used;
    }
}

/// <summary>A borrowed scratch matrix; disposing it gives the memory back.</summary>
public readonly ref struct ScratchLease
{
    private readonly ComputeContext _context;
    private readonly int _block;
    private readonly nint _used;

    internal ScratchLease(ComputeContext context, MatrixView<float> view, int block, nint used)
    {
        _context = context;
        View = view;
        _block = block;
        _used = used;
    }

    /// <summary>The borrowed matrix; its content is undefined at first.</summary>
    public MatrixView<float> View { get; }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _context.Return(_block, _used);
}
