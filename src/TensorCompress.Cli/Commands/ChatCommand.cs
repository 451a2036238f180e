using System.CommandLine;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Inference;
using TensorCompress.Templates;

namespace TensorCompress.Cli.Commands;

/// <summary><c>chat</c>: the user's lines and the model's replies in turn, until the lines end.</summary>
internal sealed class ChatCommand : ToolCommand
{
    private readonly Argument<string> _model = ToolOptions.Model();
    private readonly Option<string> _system = ToolOptions.SystemMessage();
    private readonly SamplingArguments _sampling = new();
    private readonly Option<string> _tokenizer = ToolOptions.TokenizerFile();
    private readonly Option<int?> _threads = ToolOptions.Threads();
    private readonly RuntimeArguments _runtime = new();

    public ChatCommand()
        : base("chat", "Chats with a model: each line of standard input is a message. An empty line or its end ends the chat; Ctrl-C ends a reply, and between replies the chat.")
    {
        Add(_model);
        foreach (Option option in (Option[])[_system, .. _sampling.Options, _tokenizer, _threads, .. _runtime.Options]) Add(option);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        GenerationOptions options = _sampling.Of(arguments);
        string source = arguments.GetRequiredValue(_model);
        using LanguageModel model = LanguageModel.Load(
            BundledModels.Resolve(source),
            new LanguageModelOptions { Pool = ToolOptions.Pool(arguments.GetValue(_threads)), Runtime = _runtime.Of(arguments), TokenizerPath = arguments.GetValue(_tokenizer) },
            cancellationToken);
        if (model.ChatTemplate is null) throw new UsageException($"{source} has no chat template: it was not made for chats; use generate");
        if (model.Tokenizer is null) throw new UsageException("no tokenizer lies beside the model: name one with --tokenizer FILE");
        using Session session = model.CreateSession();
        var conversation = new Conversation(session);
        if (arguments.GetValue(_system) is { } system) conversation.Add(new ChatMessage("system", system));
        var finishReasons = new List<string>();
        while (LineInput.Read(cancellationToken) is { Length: > 0 } line)
        {
            conversation.Add(new ChatMessage("user", line));
            finishReasons.Add(Reply(console, conversation, options, cancellationToken));
        }

        console.WriteJson(new ChatJson([.. conversation.Messages.Select(message => new ChatMessageJson(message.Role!, message.Content!))], finishReasons, options.Sampling.Seed), ToolJson.Output.ChatJson);
        return ExitCode.Done;
    }

    private static string Reply(ToolConsole console, Conversation conversation, GenerationOptions options, CancellationToken cancellationToken)
    {
        FinishReason? reason = null;
        using Interruption.Reply reply = Interruption.BeginReply(cancellationToken);
        try
        {
            foreach (GeneratedPiece piece in conversation.Reply(options, reply.Token))
            {
                console.WriteText(piece.Text);
                reason = piece.FinishReason;
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Ctrl-C ends the reply alone; what was said stays.
        }

        console.WriteText("\n");
        return reason is { } known ? GenerationJson.Name(known) : "interrupted";
    }
}
