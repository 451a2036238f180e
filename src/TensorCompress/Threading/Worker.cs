namespace TensorCompress.Threading;

/// <summary>A thread of a pool: works on the pool's loop, spins for the next, parks.</summary>
internal sealed class Worker
{
    private const int Awake = 0, Parked = 1;

    private readonly SharedLoop _loop;
    private readonly Thread _thread;
    private readonly object _gate = new();
    private int _state;
    private int _stopping;

    public Worker(SharedLoop loop, string name)
    {
        _loop = loop;
        _thread = new Thread(Work) { IsBackground = true, Name = name };
        _thread.Start();
    }

    /// <summary>Unparks the thread if it is parked. Whoever calls has made work visible by a full fence.</summary>
    public void Wake()
    {
        if (Volatile.Read(ref _state) == Awake || Interlocked.Exchange(ref _state, Awake) == Awake) return;
        lock (_gate) Monitor.Pulse(_gate);
    }

    /// <summary>Asks the thread to end.</summary>
    public void Stop()
    {
        Interlocked.Exchange(ref _stopping, 1);
        Wake();
    }

    /// <summary>Waits until it has ended.</summary>
    public void Join() => _thread.Join();

    private bool IsWanted => _loop.HasWork || Volatile.Read(ref _stopping) != 0;

    private void Work()
    {
        while (Volatile.Read(ref _stopping) == 0)
        {
            _loop.Participate();
            if (!Spinning.Until(this, static worker => worker.IsWanted)) Park();
        }
    }

    private void Park()
    {
        lock (_gate)
        {
            Interlocked.Exchange(ref _state, Parked); // a full fence: announce, then look; a waker makes work visible, then looks for the announcement
            if (IsWanted) Volatile.Write(ref _state, Awake);
            while (Volatile.Read(ref _state) == Parked) Monitor.Wait(_gate);
        }
    }
}
