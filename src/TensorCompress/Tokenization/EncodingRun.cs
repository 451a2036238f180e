using System.Buffers;
using TensorCompress.Tokenization.Expressions;
using TensorCompress.Tokenization.Splitting;
using TensorCompress.Tokenization.Unicode;
using TensorCompress.Tokenization.Words;

namespace TensorCompress.Tokenization;

/// <summary>One text on its way through pre-tokenizer and model: the ids so far, and the memory that every text needs. Used again for the next text.</summary>
internal sealed class EncodingRun(PreTokenizerStage[] stages, WordModel model)
{
    private const int SomeSymbols = 256;
    private const int KeptSymbols = 1 << 16; // larger ones go back to the pool after the text

    private readonly TextBuffer[] _buffers = [.. stages.Select(_ => new TextBuffer())];
    private readonly MatchState[] _states = [.. stages.Select(_ => new MatchState())];
    private int[] _symbols = ArrayPool<int>.Shared.Rent(SomeSymbols);

    /// <summary>Where the ids go.</summary>
    public List<int> Ids { get; set; } = [];

    /// <summary>Words that were encoded before.</summary>
    public WordCache Cache { get; } = new();

    /// <summary>The two texts that normalisers write in turn.</summary>
    public TextBuffer Front { get; } = new();

    /// <inheritdoc cref="Front"/>
    public TextBuffer Back { get; } = new();

    /// <summary>For what models put together.</summary>
    public TextBuffer Scratch { get; } = new();

    /// <summary>The text that a step of the pre-tokenizer writes.</summary>
    public TextBuffer BufferOf(int depth) => _buffers[depth];

    /// <summary>What the expressions of a step of the pre-tokenizer remember.</summary>
    public MatchState MatchStateOf(int depth) => _states[depth];

    /// <summary>Room for symbols; what was there is lost.</summary>
    public int[] Symbols(int length)
    {
        if (_symbols.Length >= length) return _symbols;
        ArrayPool<int>.Shared.Return(_symbols);
        return _symbols = ArrayPool<int>.Shared.Rent(length);
    }

    /// <summary>Gives a piece to a step, or behind the last one to the model.</summary>
    public void Pass(ReadOnlySpan<char> piece, bool isFirst, int depth)
    {
        if (piece.IsEmpty) return;
        if (depth == stages.Length) model.Encode(piece, this);
        else stages[depth].Cut(piece, isFirst, this, depth);
    }

    /// <summary>Lets go of what only a very long text needed.</summary>
    public void Trim()
    {
        if (_symbols.Length > KeptSymbols)
        {
            ArrayPool<int>.Shared.Return(_symbols);
            _symbols = ArrayPool<int>.Shared.Rent(SomeSymbols);
        }

        foreach (TextBuffer buffer in (ReadOnlySpan<TextBuffer>)[.. _buffers, Front, Back, Scratch]) buffer.Clear();
        foreach (MatchState state in _states) state.Reset();
        Ids = [];
    }
}
