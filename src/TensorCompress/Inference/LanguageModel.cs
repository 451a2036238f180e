using TensorCompress.Caching;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Templates;
using TensorCompress.Threading;
using TensorCompress.Tokenization;

namespace TensorCompress.Inference;

/// <summary>How a model is loaded and run.</summary>
public sealed record LanguageModelOptions
{
    /// <summary>Threads; shared by all sessions.</summary>
    public ComputePool Pool { get; init; } = ComputePool.Shared;

    /// <summary>A tokenizer file or folder in place of the one beside the model.</summary>
    public string? TokenizerPath { get; init; }

    /// <summary>How the layers are packed to run.</summary>
    public RuntimeOptions Runtime { get; init; } = RuntimeOptions.Default;

    /// <summary>Loads no tokenizer: for work on ids only.</summary>
    public bool WithoutTokenizer { get; init; }
}

/// <summary>A language model with its weights: immutable, safe for concurrent sessions.</summary>
public sealed class LanguageModel : IDisposable
{
    private readonly ModelWeights _weights;
    private readonly TransformerExecutor _executor;
    private int _openSessions;
    private bool _isDisposed;

    private LanguageModel(ModelWeights weights, Tokenizer? tokenizer, ChatTemplate? chatTemplate, long storedBytes, LanguageModelOptions options)
    {
        _weights = weights;
        _executor = new TransformerExecutor(weights);
        Tokenizer = tokenizer;
        ChatTemplate = chatTemplate;
        StoredBytes = storedBytes;
        Options = options;
    }

    /// <summary>What the model computes.</summary>
    public ModelDefinition Definition => _weights.Definition;

    /// <summary>The tokenizer, or null where none lies beside the model.</summary>
    public Tokenizer? Tokenizer { get; }

    /// <summary>The template that turns a chat into a prompt, or null where the model has none.</summary>
    public ChatTemplate? ChatTemplate { get; }

    /// <summary>Bytes of the weight files, headers included.</summary>
    public long StoredBytes { get; }

    /// <summary>All stored bits over all parameters of the model.</summary>
    public double BitsPerWeight => StoredBytes * 8.0 / Definition.ParameterCount;

    /// <summary>Bytes of memory that the weights take.</summary>
    public long ResidentBytes => _weights.ResidentBytes;

    /// <summary>The parts, for work on single blocks.</summary>
    internal ModelWeights Weights => _weights;

    /// <summary>The options it was loaded with.</summary>
    public LanguageModelOptions Options { get; }

    /// <summary>Loads a checkpoint folder, a GGUF file or a llama2.c file, dense or compressed.</summary>
    /// <param name="path">Folder or file.</param>
    /// <param name="options">Threads and tokenizer; null for the defaults.</param>
    /// <param name="cancellationToken">Looked at between tensors.</param>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="Storage.TensorFormatException">The files are damaged or not supported.</exception>
    public static LanguageModel Load(string path, LanguageModelOptions? options = null, CancellationToken cancellationToken = default)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(path);
        return Load(checkpoint, options, cancellationToken);
    }

    /// <summary>Loads an opened checkpoint, which may be closed afterwards.</summary>
    /// <inheritdoc cref="Load(string, LanguageModelOptions?, CancellationToken)"/>
    public static LanguageModel Load(ModelCheckpoint checkpoint, LanguageModelOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        options ??= new LanguageModelOptions();
        _ = checkpoint.Definition; // a bad configuration is told before anything is read
        // One thread makes the tokenizer, while the others read the weights.
        Task<Tokenizer?> tokenizer = options switch
        {
            { WithoutTokenizer: true } => Task.FromResult<Tokenizer?>(null),
            { Pool.Threads: 1 } => Task.FromResult(checkpoint.LoadTokenizer(options.TokenizerPath)),
            _ => Task.Run(() => checkpoint.LoadTokenizer(options.TokenizerPath), CancellationToken.None),
        };
        ChatTemplate? chatTemplate = options.WithoutTokenizer ? null : checkpoint.LoadChatTemplate();
        ModelWeights? weights = null;
        try
        {
            weights = WeightLoader.Load(checkpoint, options.Runtime, options.Pool, cancellationToken);
            return new LanguageModel(weights, tokenizer.GetAwaiter().GetResult(), chatTemplate, checkpoint.WeightBytes, options);
        }
        catch
        {
            weights?.Dispose();
            // The checkpoint may be closed when this returns.
            ((IAsyncResult)tokenizer).AsyncWaitHandle.WaitOne();
            throw;
        }
    }

    /// <summary>Begins a sequence.</summary>
    /// <param name="capacity">Positions it may hold; null for the model's context length.</param>
    /// <exception cref="ArgumentOutOfRangeException">Less than one, or more than the model's context length.</exception>
    public Session CreateSession(int? capacity = null)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        int positions = capacity ?? Definition.ContextLength;
        ArgumentOutOfRangeException.ThrowIfLessThan(positions, 1, nameof(capacity));
        if (positions > Definition.ContextLength)
            throw new ArgumentOutOfRangeException(nameof(capacity), positions, $"The model was made for {Definition.ContextLength} positions.");
        AttentionDefinition attention = Definition.Blocks[0].Attention;
        var cache = new FloatKeyValueCache(Definition.Blocks.Count, attention.KeyValueHeadCount, attention.HeadDimension, positions);
        Interlocked.Increment(ref _openSessions);
        return new Session(this, _executor, cache, new ComputeContext(Options.Pool), () => Interlocked.Decrement(ref _openSessions));
    }

    /// <summary>The ids of a chat, as the model was trained to see it: rendered by its template, special tokens parsed, none added.</summary>
    /// <param name="messages">The chat so far.</param>
    /// <param name="options">What the template is told beside them; null for the defaults, which begin the assistant's turn.</param>
    /// <exception cref="InvalidOperationException">The model has no chat template or no tokenizer.</exception>
    /// <exception cref="TemplateException">The template is wrong, or refuses the messages.</exception>
    public int[] EncodeChat(IReadOnlyList<ChatMessage> messages, ChatTemplateOptions? options = null)
    {
        ChatTemplate template = ChatTemplate ?? throw new InvalidOperationException("The model has no chat template: it was not made for chats.");
        Tokenizer tokenizer = Tokenizer ?? throw new InvalidOperationException("The model has no tokenizer: load it with TokenizerPath.");
        return tokenizer.Encode(template.Render(messages, options).Text, new EncodeOptions(ParseSpecialTokens: true, AddSpecialTokens: false));
    }

    /// <summary>Frees the weights.</summary>
    /// <exception cref="InvalidOperationException">Sessions are open: they would read freed memory.</exception>
    public void Dispose()
    {
        if (_isDisposed) return;
        int open = Volatile.Read(ref _openSessions);
        if (open > 0) throw new InvalidOperationException($"{open} sessions of the model are still open; dispose them first.");
        _isDisposed = true;
        _weights.Dispose();
    }
}
