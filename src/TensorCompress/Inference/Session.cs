using TensorCompress.Layers;

namespace TensorCompress.Inference;

/// <summary>A text in the making: position and key-value cache of one sequence. For one thread at a time; many sessions may share a model.</summary>
public sealed class Session : IDisposable, IAsyncDisposable
{
    private readonly TransformerExecutor _executor;
    private readonly IKeyValueCache _cache;
    private readonly ComputeContext _context;
    private readonly float[] _lastLogits;
    private readonly Action _closed;
    private bool _isDisposed;

    internal Session(LanguageModel model, TransformerExecutor executor, IKeyValueCache cache, ComputeContext context, Action closed)
    {
        Model = model;
        _executor = executor;
        _cache = cache;
        _context = context;
        _closed = closed;
        _lastLogits = new float[model.Definition.VocabularySize];
    }

    /// <summary>The model.</summary>
    public LanguageModel Model { get; }

    /// <summary>Tokens seen so far; the next token gets this position.</summary>
    public int Position { get; private set; }

    /// <summary>Positions that the session can hold.</summary>
    public int Capacity => _cache.Capacity;

    /// <summary>Bytes of cache and scratch memory.</summary>
    public long ResidentBytes => _cache.ResidentBytes + _context.ScratchBytes;

    /// <summary>Takes tokens in.</summary>
    /// <param name="tokens">At least one id.</param>
    /// <param name="cancellationToken">Looked at between blocks; a cancelled call leaves the position as it was.</param>
    /// <returns>The logits after the last token, one per id of the vocabulary; valid until the next call.</returns>
    /// <exception cref="ArgumentException">No token, an id outside the vocabulary, or more than the capacity.</exception>
    public ReadOnlySpan<float> Append(ReadOnlySpan<int> tokens, CancellationToken cancellationToken = default)
    {
        Run(tokens, (_, logits) => logits.Row(0).CopyTo(_lastLogits), lastOnly: true, null, cancellationToken);
        return _lastLogits;
    }

    /// <summary>Takes tokens in and hands out the logits of every position.</summary>
    /// <param name="tokens">At least one id.</param>
    /// <param name="logits">Receives the logits in blocks of consecutive positions; null to fill the cache only.</param>
    /// <param name="probe">Looks at the activations; may be null.</param>
    /// <param name="cancellationToken">Looked at between blocks; a cancelled call leaves the position as it was.</param>
    /// <exception cref="ArgumentException">No token, an id outside the vocabulary, or more than the capacity.</exception>
    public void Append(ReadOnlySpan<int> tokens, LogitsHandler? logits, ActivationProbe? probe = null, CancellationToken cancellationToken = default) =>
        Run(tokens, logits, lastOnly: false, probe, cancellationToken);

    /// <summary>Forgets all positions from <paramref name="position"/> on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The position is negative or beyond the current one.</exception>
    public void Rewind(int position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(position, Position);
        Position = position;
    }

    /// <summary>Frees the cache.</summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        _cache.Dispose();
        _context.Dispose();
        _closed();
    }

    /// <inheritdoc cref="Dispose"/>
    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    private void Run(ReadOnlySpan<int> tokens, LogitsHandler? logits, bool lastOnly, ActivationProbe? probe, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (tokens.IsEmpty) throw new ArgumentException("At least one token is required.", nameof(tokens));
        if (tokens.Length > Capacity - Position)
            throw new ArgumentException($"{tokens.Length} tokens after {Position} do not fit into a context of {Capacity}.", nameof(tokens));
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)Model.Definition.VocabularySize)
                throw new ArgumentException($"Token {token} is outside the vocabulary of {Model.Definition.VocabularySize}.", nameof(tokens));
        }

        _executor.Run(tokens, Position, _cache, _context, logits, lastOnly, probe, cancellationToken);
        Position += tokens.Length;
    }
}
