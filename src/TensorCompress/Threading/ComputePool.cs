namespace TensorCompress.Threading;

/// <summary>A fixed set of threads that share loops over rows. Results never depend on the number of threads: a body computes each index on its own.</summary>
/// <remarks>
/// One loop runs at a time; a caller that finds the pool busy runs its loop alone on its own thread, so nested and concurrent callers are safe and never wait.
/// Threads without work spin for 50 microseconds, because the next loop of a model usually follows within that, then park.
/// </remarks>
public sealed class ComputePool : IDisposable
{
    private readonly ComputePool _owner;
    private readonly SharedLoop _loop;
    private readonly Worker[] _workers;
    private readonly CancellationToken _cancellationToken;
    private int _busy;
    private int _stopping;

    /// <summary>Makes a pool.</summary>
    /// <param name="threads">Threads that work on a loop, the caller's included; null for all processors.</param>
    /// <exception cref="ArgumentOutOfRangeException">Less than one thread, or more than 1024.</exception>
    public ComputePool(int? threads = null)
    {
        Threads = threads ?? Environment.ProcessorCount;
        ArgumentOutOfRangeException.ThrowIfLessThan(Threads, 1, nameof(threads));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Threads, 1024, nameof(threads));
        _owner = this;
        _loop = new SharedLoop(Threads);
        _workers = new Worker[Threads - 1];
        for (int i = 0; i < _workers.Length; i++) _workers[i] = new Worker(_loop, $"TensorCompress {i + 1}");
    }

    /// <summary>The same threads, for loops that end early.</summary>
    private ComputePool(ComputePool owner, CancellationToken cancellationToken) =>
        (_owner, _loop, _workers, Threads, _cancellationToken) = (owner, owner._loop, owner._workers, owner.Threads, cancellationToken);

    /// <summary>The pool that is used where none is given: one thread per processor.</summary>
    public static ComputePool Shared { get; } = new();

    /// <summary>Threads that work on a loop, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>The same threads for work that can be cancelled anywhere: a loop looks at the token before each of its ranges, also one inside a product or a factorisation that knows of no token.</summary>
    /// <param name="cancellationToken">The token.</param>
    /// <returns>A pool that owns nothing: disposing it does nothing. What loops write is unfinished after <see cref="OperationCanceledException"/>.</returns>
    internal ComputePool CancelledBy(CancellationToken cancellationToken) => new(_owner, cancellationToken);

    /// <summary>Ends work of a pool that was made by <see cref="CancelledBy"/>, in loops of its caller's.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    internal void ThrowIfCancelled() => _cancellationToken.ThrowIfCancellationRequested();

    /// <summary>Runs <paramref name="body"/> over consecutive ranges that cover 0 to <paramref name="count"/>.</summary>
    /// <param name="count">Number of indexes.</param>
    /// <param name="grain">Ranges begin at multiples of this and are at least this long (the last may be shorter).</param>
    /// <param name="body">Called with start (inclusive) and end (exclusive), concurrently. The first exception is rethrown when all have ended.</param>
    /// <exception cref="ObjectDisposedException">The pool was disposed.</exception>
    public void For(nint count, nint grain, Action<nint, nint> body) => For(count, grain, body, static (start, end, body) => body(start, end));

    /// <summary><see cref="For(nint, nint, Action{nint, nint})"/> for a body without captured variables: a call allocates nothing.</summary>
    /// <param name="count">Number of indexes.</param>
    /// <param name="grain">Ranges begin at multiples of this and are at least this long (the last may be shorter).</param>
    /// <param name="state">What the body works on.</param>
    /// <param name="body">Called with start (inclusive), end (exclusive) and the state.</param>
    /// <typeparam name="TState">A tuple or record of the operands.</typeparam>
    /// <exception cref="ObjectDisposedException">The pool was disposed.</exception>
    public void For<TState>(nint count, nint grain, TState state, Action<nint, nint, TState> body)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _owner._stopping) != 0, this);
        ArgumentOutOfRangeException.ThrowIfLessThan(grain, 1);
        if (count <= 0) return;
        if (count <= grain || _workers.Length == 0 || Interlocked.CompareExchange(ref _owner._busy, 1, 0) != 0)
        {
            ThrowIfCancelled();
            body(0, count, state);
            return;
        }

        LoopBody<TState> bound = LoopBody<TState>.Bind(state, body, _cancellationToken);
        try
        {
            _loop.Open(count, grain, bound);
            Wake(_loop.Ranges - 1);
            _loop.Participate();
            _loop.Close();
        }
        finally
        {
            bound.Release();
            Volatile.Write(ref _owner._busy, 0);
        }
    }

    /// <summary>Ends the threads. No loop may be running.</summary>
    public void Dispose()
    {
        if (ReferenceEquals(this, Shared) || !ReferenceEquals(this, _owner) || Interlocked.Exchange(ref _stopping, 1) != 0) return; // the shared pool lives as long as the process, others as long as their owner wants
        foreach (Worker worker in _workers) worker.Stop();
        foreach (Worker worker in _workers) worker.Join();
    }

    /// <summary>Wakes as many threads as there is work for; those that spin need no waking.</summary>
    private void Wake(nint wanted)
    {
        for (int i = 0; i < _workers.Length && i < wanted; i++) _workers[i].Wake();
    }
}
