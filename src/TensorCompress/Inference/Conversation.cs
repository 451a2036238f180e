using System.Runtime.CompilerServices;
using System.Text;
using TensorCompress.Templates;

namespace TensorCompress.Inference;

/// <summary>
/// A chat with a model over several turns. Each reply renders the whole chat by the model's template and takes in only what the session has not seen. For one thread at a time.
/// </summary>
public sealed class Conversation
{
    private readonly Session _session;
    private readonly ChatTemplateOptions _template;
    private readonly List<ChatMessage> _messages = [];
    private readonly List<int> _seen = [];

    /// <summary>Begins a chat.</summary>
    /// <param name="session">A session that has seen nothing; the conversation uses it alone, and does not dispose it.</param>
    /// <param name="template">What the template is told beside the messages; null for the defaults.</param>
    /// <exception cref="ArgumentException">The session has seen tokens.</exception>
    /// <exception cref="InvalidOperationException">The model has no chat template or no tokenizer.</exception>
    public Conversation(Session session, ChatTemplateOptions? template = null)
    {
        ArgumentNullException.ThrowIfNull(session);
        if (session.Position > 0) throw new ArgumentException($"A session that has seen nothing is required, not one at position {session.Position}.", nameof(session));
        if (session.Model.ChatTemplate is null) throw new InvalidOperationException("The model has no chat template: it was not made for chats.");
        if (session.Model.Tokenizer is null) throw new InvalidOperationException("The model has no tokenizer: load it with TokenizerPath.");
        _session = session;
        _template = (template ?? new ChatTemplateOptions()) with { AddGenerationPrompt = true };
    }

    /// <summary>The chat so far.</summary>
    public IReadOnlyList<ChatMessage> Messages => _messages;

    /// <summary>Adds a message, such as the user's.</summary>
    public void Add(ChatMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        _messages.Add(message);
    }

    /// <summary>Lets the assistant speak. What it said, however the reply ended, is its message from then on; where it said nothing and the reply was cut off, there is none.</summary>
    /// <param name="options">What to generate; null for greedy, 256 tokens.</param>
    /// <param name="cancellationToken">Ends the reply.</param>
    /// <exception cref="ArgumentException">The chat does not fit into the context.</exception>
    /// <exception cref="TemplateException">The template refuses the messages.</exception>
    public IEnumerable<GeneratedPiece> Reply(GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        int[] prompt = _session.Model.EncodeChat(_messages, _template);
        if (prompt.Length == 0) throw new ArgumentException("The template makes no token of these messages.");
        if (prompt.Length >= _session.Capacity) throw new ArgumentException($"The chat has {prompt.Length} tokens, the context {_session.Capacity}.");
        return Reply(prompt, options, cancellationToken);
    }

    /// <summary>As <see cref="Reply(GenerationOptions?, CancellationToken)"/>; each step runs on a thread of the pool of .NET, so the caller's thread stays free.</summary>
    /// <inheritdoc cref="Reply(GenerationOptions?, CancellationToken)"/>
    public async IAsyncEnumerable<GeneratedPiece> ReplyAsync(GenerationOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using IEnumerator<GeneratedPiece> pieces = Reply(options, cancellationToken).GetEnumerator();
        while (await Task.Run(pieces.MoveNext, cancellationToken).ConfigureAwait(false)) yield return pieces.Current;
    }

    private IEnumerable<GeneratedPiece> Reply(int[] prompt, GenerationOptions? options, CancellationToken cancellationToken)
    {
        int known = 0;
        // The last token is taken in again, since its logits choose the next one.
        while (known < prompt.Length - 1 && known < _session.Position && _seen[known] == prompt[known]) known++;
        _session.Rewind(known);
        _seen.Clear();
        _seen.AddRange(prompt);
        var said = new StringBuilder();
        try
        {
            foreach (GeneratedPiece piece in _session.Generate(prompt[known..], options, cancellationToken))
            {
                if (piece.Id >= 0) _seen.Add(piece.Id);
                said.Append(piece.Text);
                yield return piece;
            }
        }
        finally
        {
            bool isCutOff = cancellationToken.IsCancellationRequested;
            if (said.Length > 0 || !isCutOff) _messages.Add(new ChatMessage("assistant", said.ToString()));
        }
    }
}
