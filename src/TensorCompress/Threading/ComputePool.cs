using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace TensorCompress.Threading;

/// <summary>A fixed set of threads that share loops over rows. Results never depend on the number of threads: a body computes each index on its own.</summary>
/// <remarks>
/// One loop runs at a time; a caller that finds the pool busy runs its loop alone on its own thread, so concurrent callers are safe and never wait.
/// Workers spin for a short time after a loop, because the next one of a model usually follows within microseconds, then park.
/// </remarks>
public sealed class ComputePool : IDisposable
{
    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000; // 50 microseconds
    private const int ChunksPerThread = 4;

    private readonly Thread[] _workers;
    private readonly object _gate = new();
    private readonly SemaphoreSlim _wake = new(0);
    private Loop? _current;
    private int _parked;
    private int _busy;
    private bool _stopping;

    /// <summary>Makes a pool.</summary>
    /// <param name="threads">Threads that work on a loop, the caller's included; null for all processors.</param>
    /// <exception cref="ArgumentOutOfRangeException">Less than one thread, or more than 1024.</exception>
    public ComputePool(int? threads = null)
    {
        Threads = threads ?? Environment.ProcessorCount;
        ArgumentOutOfRangeException.ThrowIfLessThan(Threads, 1, nameof(threads));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Threads, 1024, nameof(threads));
        _workers = new Thread[Threads - 1];
        for (int i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new Thread(Work) { IsBackground = true, Name = $"TensorCompress {i + 1}" };
            _workers[i].Start();
        }
    }

    /// <summary>The pool that is used where none is given: one thread per processor.</summary>
    public static ComputePool Shared { get; } = new();

    /// <summary>Threads that work on a loop, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Runs <paramref name="body"/> over consecutive ranges that cover 0 to <paramref name="count"/>.</summary>
    /// <param name="count">Number of indexes.</param>
    /// <param name="grain">Ranges begin at multiples of this and are at least this long (the last may be shorter).</param>
    /// <param name="body">Called with start (inclusive) and end (exclusive), concurrently. The first exception is rethrown when all have ended.</param>
    /// <exception cref="ObjectDisposedException">The pool was disposed.</exception>
    public void For(nint count, nint grain, Action<nint, nint> body)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _stopping), this);
        ArgumentOutOfRangeException.ThrowIfLessThan(grain, 1);
        if (count <= 0) return;
        nint grains = (count + grain - 1) / grain;
        if (grains == 1 || _workers.Length == 0 || Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            body(0, count);
            return;
        }

        try
        {
            nint chunks = Math.Min(grains, Threads * ChunksPerThread);
            var loop = new Loop(count, (grains + chunks - 1) / chunks * grain, body);
            Volatile.Write(ref _current, loop);
            WakeParked();
            loop.Run();
            loop.WaitForOthers();
            Volatile.Write(ref _current, null);
            loop.ThrowIfFailed();
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    /// <summary>Ends the threads. No loop may be running.</summary>
    public void Dispose()
    {
        if (ReferenceEquals(this, Shared)) return; // lives as long as the process
        lock (_gate)
        {
            if (_stopping) return;
            _stopping = true;
        }

        if (_workers.Length > 0) _wake.Release(_workers.Length);
        foreach (Thread worker in _workers) worker.Join();
        _wake.Dispose();
    }

    private void WakeParked()
    {
        // A full fence between publishing the loop and looking for sleepers: a worker announces itself before it looks for a loop.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _parked) == 0) return;
        int sleepers = Interlocked.Exchange(ref _parked, 0);
        if (sleepers > 0) _wake.Release(sleepers);
    }

    private void Work()
    {
        Loop? last = null;
        while (!Volatile.Read(ref _stopping))
        {
            Loop? loop = NextLoop(last);
            if (loop is null) continue;
            last = loop;
            if (!loop.TryEnter()) continue;
            loop.Run();
            loop.Leave();
        }
    }

    private Loop? NextLoop(Loop? last)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetTimestamp() - start < SpinTicks)
        {
            Loop? loop = Volatile.Read(ref _current);
            if (loop is not null && !ReferenceEquals(loop, last)) return loop;
            if (Volatile.Read(ref _stopping)) return null;
            Thread.SpinWait(8);
        }

        Interlocked.Increment(ref _parked);
        Loop? appeared = Volatile.Read(ref _current);
        if (appeared is not null && !ReferenceEquals(appeared, last))
        {
            // Take the announcement back; if a waker has counted it already, its release is consumed by the next park and costs one empty round.
            int parked = Volatile.Read(ref _parked);
            while (parked > 0 && Interlocked.CompareExchange(ref _parked, parked - 1, parked) != parked) parked = Volatile.Read(ref _parked);
            return appeared;
        }

        _wake.Wait();
        return null;
    }

    private sealed class Loop(nint count, nint chunk, Action<nint, nint> body)
    {
        private long _next;
        private int _inside; // workers inside; -1000000 once the caller has closed the loop
        private Exception? _failure;

        public bool TryEnter()
        {
            if (Interlocked.Increment(ref _inside) > 0) return true;
            Interlocked.Decrement(ref _inside);
            return false;
        }

        public void Leave() => Interlocked.Decrement(ref _inside);

        public void Run()
        {
            while (true)
            {
                var start = (nint)(Interlocked.Add(ref _next, chunk) - chunk);
                if (start >= count) return;
                try
                {
                    body(start, nint.Min(start + chunk, count));
                }
                catch (Exception failure) // carried to the caller's thread, which rethrows it
                {
                    Interlocked.CompareExchange(ref _failure, failure, null);
                    Interlocked.Exchange(ref _next, count);
                }
            }
        }

        public void WaitForOthers()
        {
            var spinner = default(SpinWait);
            while (Interlocked.CompareExchange(ref _inside, -1000000, 0) != 0)
            {
                if (spinner.NextSpinWillYield) Thread.Yield();
                spinner.SpinOnce(sleep1Threshold: -1);
            }
        }

        public void ThrowIfFailed()
        {
            if (_failure is not null) ExceptionDispatchInfo.Throw(_failure);
        }
    }
}
