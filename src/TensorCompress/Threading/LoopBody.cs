namespace TensorCompress.Threading;

/// <summary>The body of a loop with what it works on, its type forgotten.</summary>
internal abstract class LoopBody
{
    /// <summary>Runs the indexes from start (inclusive) to end (exclusive).</summary>
    public abstract void Run(nint start, nint end);
}

/// <summary>A body with its state. Each thread keeps one per type of state and uses it again, so that a loop allocates nothing.</summary>
internal sealed class LoopBody<TState> : LoopBody
{
    [ThreadStatic]
    private static LoopBody<TState>? _spare;

    private TState _state = default!;
    private Action<nint, nint, TState> _body = null!;
    private CancellationToken _cancellationToken;

    private LoopBody()
    {
    }

    public static LoopBody<TState> Bind(TState state, Action<nint, nint, TState> body, CancellationToken cancellationToken)
    {
        LoopBody<TState> bound = _spare ?? new LoopBody<TState>();
        _spare = null; // a loop inside the body takes another
        bound._state = state;
        bound._body = body;
        bound._cancellationToken = cancellationToken;
        return bound;
    }

    public void Release()
    {
        _state = default!; // keeps nothing alive
        _body = null!;
        _cancellationToken = default;
        _spare = this;
    }

    public override void Run(nint start, nint end)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        _body(start, end, _state);
    }
}
