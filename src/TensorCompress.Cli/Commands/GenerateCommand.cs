using System.CommandLine;
using System.Globalization;
using System.Text;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Inference;
using TensorCompress.Templates;
using TensorCompress.Tokenization;

namespace TensorCompress.Cli.Commands;

/// <summary><c>generate</c>: continues a prompt; the text appears as it comes.</summary>
internal sealed class GenerateCommand : ToolCommand
{
    private readonly Argument<string> _model = ToolOptions.Model();
    private readonly Option<string> _prompt = new("--prompt") { HelpName = "TEXT", Description = "Text to continue; special tokens in it are parsed." };
    private readonly Option<int[]?> _promptIds = ToolOptions.Number<int[]?>("--prompt-ids", "IDS", "Token ids to continue, for instance 1,2,3; needs no tokenizer.", ToolOptions.Ids);
    private readonly Option<bool> _chat = new("--chat") { Description = "The prompt is a message to the model: the model's chat template is put around it." };
    private readonly Option<string> _system = ToolOptions.SystemMessage();
    private readonly SamplingArguments _sampling = new();
    private readonly Option<int?> _logprobs = ToolOptions.Number<int?>("--logprobs", "K", "Give the K best tokens per position with their log-probabilities.", ToolOptions.Whole(1, 1000));
    private readonly Option<bool> _echo = new("--echo") { Description = "Print the prompt too, and with --logprobs its positions." };
    private readonly Option<bool> _ignoreEos = new("--ignore-eos") { Description = "Go on after an end token." };
    private readonly Option<string> _tokenizer = ToolOptions.TokenizerFile();
    private readonly Option<int?> _threads = ToolOptions.Threads();
    private readonly RuntimeArguments _runtime = new();

    public GenerateCommand()
        : base("generate", "Continues a prompt.")
    {
        Add(_model);
        foreach (Option option in (Option[])[_prompt, _promptIds, _chat, _system, .. _sampling.Options, _logprobs, _echo, _ignoreEos, _tokenizer, _threads, .. _runtime.Options]) Add(option);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        int[]? promptIds = arguments.GetValue(_promptIds) is { Length: > 0 } given ? given : null; // not given: an empty array
        if ((arguments.GetValue(_prompt) is null) == (promptIds is null)) throw new UsageException("either --prompt TEXT or --prompt-ids IDS is required");
        bool isChat = arguments.GetValue(_chat);
        if (isChat && promptIds is not null) throw new UsageException("--chat takes its message from --prompt, not from --prompt-ids");
        if (!isChat && arguments.GetValue(_system) is not null) throw new UsageException("--system needs --chat");
        GenerationOptions options = GenerationOptionsOf(arguments);
        using LanguageModel model = LanguageModel.Load(
            BundledModels.Resolve(arguments.GetRequiredValue(_model)),
            new LanguageModelOptions
            {
                Pool = ToolOptions.Pool(arguments.GetValue(_threads)),
                Runtime = _runtime.Of(arguments),
                TokenizerPath = arguments.GetValue(_tokenizer),
            },
            cancellationToken);
        string? promptText = isChat ? RenderChat(model, arguments) : arguments.GetValue(_prompt);
        int[] prompt = promptIds ?? Encode(model, promptText!, addsSpecialTokens: !isChat);
        if (prompt.Length == 0) throw new UsageException("the prompt has no token");
        if (prompt.Length > model.Definition.ContextLength) throw new UsageException($"the prompt has {prompt.Length} tokens, the model's context {model.Definition.ContextLength}");
        using Session session = model.CreateSession();

        bool isEchoed = arguments.GetValue(_echo);
        string echo = isEchoed ? promptText ?? model.Tokenizer?.Decode(prompt) ?? "" : "";
        IReadOnlyList<IReadOnlyList<TokenLogProbability>>? promptBest = isEchoed && options.LogProbabilities > 0 ? BestOfPrompt(session, prompt, options, cancellationToken) : null;
        Generation made = Generate(console, session, promptBest is null ? prompt : prompt[^1..], echo, options, cancellationToken);
        if (promptBest is not null) WriteBest(console, prompt, promptBest);
        if (options.LogProbabilities > 0) WriteBest(console, made.Ids, made.Best);
        console.WriteJson(ToJson(prompt, made, promptBest, options), ToolJson.Output.GenerationJson);
        return ExitCode.Done;
    }

    private GenerationOptions GenerationOptionsOf(ParseResult arguments) => _sampling.Of(arguments) with
    {
        IgnoreEndOfText = arguments.GetValue(_ignoreEos),
        LogProbabilities = arguments.GetValue(_logprobs) ?? 0,
    };

    private string RenderChat(LanguageModel model, ParseResult arguments)
    {
        ChatTemplate template = model.ChatTemplate ?? throw new UsageException("the model has no chat template: it was not made for chats");
        var user = new ChatMessage("user", arguments.GetValue(_prompt)!);
        return template.Render(arguments.GetValue(_system) is { } system ? [new ChatMessage("system", system), user] : [user]).Text;
    }

    private static int[] Encode(LanguageModel model, string prompt, bool addsSpecialTokens)
    {
        Tokenizer tokenizer = model.Tokenizer ?? throw new UsageException("no tokenizer lies beside the model: name one with --tokenizer FILE, or give --prompt-ids");
        return tokenizer.Encode(prompt, new EncodeOptions(AddSpecialTokens: addsSpecialTokens));
    }

    // Leaves the session before the last token of the prompt, which the generation then takes in.
    private static List<IReadOnlyList<TokenLogProbability>> BestOfPrompt(Session session, int[] prompt, GenerationOptions options, CancellationToken cancellationToken)
    {
        var best = new List<IReadOnlyList<TokenLogProbability>>(prompt.Length);
        session.Append(
            prompt,
            (_, logits) =>
            {
                for (nint row = 0; row < logits.Rows; row++) best.Add(TextGenerator.Best(logits.Row(row), options.LogProbabilities));
            },
            probe: null, cancellationToken);
        session.Rewind(prompt.Length - 1);
        return best;
    }

    private static Generation Generate(ToolConsole console, Session session, int[] prompt, string promptText, GenerationOptions options, CancellationToken cancellationToken)
    {
        var ids = new List<int>();
        var best = new List<IReadOnlyList<TokenLogProbability>>();
        var text = new StringBuilder(promptText);
        console.WriteText(promptText);
        FinishReason? reason = null;
        foreach (GeneratedPiece piece in session.Generate(prompt, options, cancellationToken))
        {
            reason = piece.FinishReason;
            text.Append(piece.Text);
            if (piece.Id >= 0)
            {
                ids.Add(piece.Id);
                best.Add(piece.Best);
            }

            bool hasText = session.Model.Tokenizer is not null;
            console.WriteText(hasText || piece.Id < 0 ? piece.Text : (ids.Count > 1 ? "," : "") + piece.Id.ToString(CultureInfo.InvariantCulture));
        }

        console.WriteText("\n");
        return new Generation(ids, best, text.ToString(), reason ?? FinishReason.Length);
    }

    private static void WriteBest(ToolConsole console, IReadOnlyList<int> ids, IReadOnlyList<IReadOnlyList<TokenLogProbability>> best)
    {
        for (int i = 0; i < ids.Count; i++)
            console.WriteLine($"{ids[i]}: {string.Join(", ", best[i].Select(token => string.Create(CultureInfo.InvariantCulture, $"{token.Id} {token.LogProbability:0.0000}")))}");
    }

    private static GenerationJson ToJson(int[] prompt, Generation made, IReadOnlyList<IReadOnlyList<TokenLogProbability>>? promptBest, GenerationOptions options) => new()
    {
        PromptIds = prompt,
        Ids = made.Ids,
        Text = made.Text,
        FinishReason = GenerationJson.Name(made.Reason),
        Seed = options.Sampling.Seed,
        Logprobs = options.LogProbabilities > 0 ? ToJson(made.Best) : null,
        PromptLogprobs = promptBest is null ? null : ToJson(promptBest),
    };

    private static LogProbabilityJson[][] ToJson(IReadOnlyList<IReadOnlyList<TokenLogProbability>> best) =>
        [.. best.Select(tokens => tokens.Select(token => new LogProbabilityJson(token.Id, token.LogProbability)).ToArray())];

    private sealed record Generation(IReadOnlyList<int> Ids, IReadOnlyList<IReadOnlyList<TokenLogProbability>> Best, string Text, FinishReason Reason);
}
