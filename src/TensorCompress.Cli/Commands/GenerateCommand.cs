using System.CommandLine;
using System.Globalization;
using System.Text;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Tokenization;

namespace TensorCompress.Cli.Commands;

/// <summary><c>generate</c>: continues a prompt; the text appears as it comes.</summary>
internal sealed class GenerateCommand : ToolCommand
{
    private readonly Argument<string> _model = ToolOptions.Model();
    private readonly Option<string> _prompt = new("--prompt") { HelpName = "TEXT", Description = "Text to continue; special tokens in it are parsed." };
    private readonly Option<int[]?> _promptIds = ToolOptions.Number<int[]?>("--prompt-ids", "IDS", "Token ids to continue, for instance 1,2,3; needs no tokenizer.", ToolOptions.Ids);
    private readonly Option<int?> _maxTokens = ToolOptions.Number<int?>("--max-tokens", "N", "New tokens at most; default 256.", ToolOptions.Whole(0, int.MaxValue));
    private readonly Option<float?> _temperature = ToolOptions.Number<float?>("--temperature", "T", "Divisor of the logits; 0, the default, is greedy.", ToolOptions.Decimal);
    private readonly Option<int?> _topK = ToolOptions.Number<int?>("--top-k", "K", "Draw from the K most probable tokens; 0, the default: from all.", ToolOptions.Whole(0, int.MaxValue));
    private readonly Option<float?> _topP = ToolOptions.Number<float?>("--top-p", "P", "Draw from the most probable tokens that together reach P; default 1.", ToolOptions.Decimal);
    private readonly Option<float?> _minP = ToolOptions.Number<float?>("--min-p", "P", "Leave out tokens below this share of the best one's probability; default 0.", ToolOptions.Decimal);
    private readonly Option<ulong?> _seed = ToolOptions.Seed();
    private readonly Option<int?> _logprobs = ToolOptions.Number<int?>("--logprobs", "K", "Give the K best tokens per position with their log-probabilities.", ToolOptions.Whole(1, 1000));
    private readonly Option<bool> _echo = new("--echo") { Description = "Print the prompt too, and with --logprobs its positions." };
    private readonly Option<string[]> _stop = new("--stop") { HelpName = "TEXT", Description = "End before this text; may be given several times." };
    private readonly Option<bool> _ignoreEos = new("--ignore-eos") { Description = "Go on after an end token." };
    private readonly Option<string> _tokenizer = ToolOptions.TokenizerFile();
    private readonly Option<int?> _threads = ToolOptions.Threads();
    private readonly Option<RuntimeOptions?> _activations = ToolOptions.Activations();

    public GenerateCommand()
        : base("generate", "Continues a prompt.")
    {
        Add(_model);
        foreach (Option option in new Option[]
            { _prompt, _promptIds, _maxTokens, _temperature, _topK, _topP, _minP, _seed, _logprobs, _echo, _stop, _ignoreEos, _tokenizer, _threads, _activations }) Add(option);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        int[]? promptIds = arguments.GetValue(_promptIds) is { Length: > 0 } given ? given : null; // not given: an empty array
        if ((arguments.GetValue(_prompt) is null) == (promptIds is null)) throw new UsageException("either --prompt TEXT or --prompt-ids IDS is required");
        GenerationOptions options = GenerationOptionsOf(arguments);
        using LanguageModel model = LanguageModel.Load(
            BundledModels.Resolve(arguments.GetRequiredValue(_model)),
            new LanguageModelOptions
            {
                Pool = ToolOptions.Pool(arguments.GetValue(_threads)),
                Runtime = arguments.GetValue(_activations) ?? RuntimeOptions.Default,
                TokenizerPath = arguments.GetValue(_tokenizer),
            },
            cancellationToken);
        int[] prompt = promptIds ?? Encode(model, arguments.GetValue(_prompt)!);
        if (prompt.Length == 0) throw new UsageException("the prompt has no token");
        if (prompt.Length > model.Definition.ContextLength) throw new UsageException($"the prompt has {prompt.Length} tokens, the model's context {model.Definition.ContextLength}");
        using Session session = model.CreateSession();

        bool isEchoed = arguments.GetValue(_echo);
        string promptText = isEchoed ? arguments.GetValue(_prompt) ?? model.Tokenizer?.Decode(prompt) ?? "" : "";
        IReadOnlyList<IReadOnlyList<TokenLogProbability>>? promptBest = isEchoed && options.LogProbabilities > 0 ? BestOfPrompt(session, prompt, options, cancellationToken) : null;
        Generation made = Generate(console, session, promptBest is null ? prompt : prompt[^1..], promptText, options, cancellationToken);
        if (promptBest is not null) WriteBest(console, prompt, promptBest);
        if (options.LogProbabilities > 0) WriteBest(console, made.Ids, made.Best);
        console.WriteJson(ToJson(prompt, made, promptBest, options), ToolJson.Output.GenerationJson);
        return ExitCode.Done;
    }

    private GenerationOptions GenerationOptionsOf(ParseResult arguments) => new()
    {
        MaxTokens = arguments.GetValue(_maxTokens) ?? 256,
        Sampling = new SamplingOptions
        {
            Temperature = arguments.GetValue(_temperature) ?? 0,
            TopK = arguments.GetValue(_topK) ?? 0,
            TopP = arguments.GetValue(_topP) ?? 1,
            MinP = arguments.GetValue(_minP) ?? 0,
            Seed = arguments.GetValue(_seed) ?? 0,
        },
        StopTexts = arguments.GetValue(_stop) ?? [],
        IgnoreEndOfText = arguments.GetValue(_ignoreEos),
        LogProbabilities = arguments.GetValue(_logprobs) ?? 0,
    };

    private static int[] Encode(LanguageModel model, string prompt)
    {
        Tokenizer tokenizer = model.Tokenizer ?? throw new UsageException("no tokenizer lies beside the model: name one with --tokenizer FILE, or give --prompt-ids");
        return tokenizer.Encode(prompt, new EncodeOptions());
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
        FinishReason = made.Reason switch
        {
            FinishReason.EndOfText => "endOfText",
            FinishReason.StopText => "stopText",
            _ => "length",
        },
        Seed = options.Sampling.Seed,
        Logprobs = options.LogProbabilities > 0 ? ToJson(made.Best) : null,
        PromptLogprobs = promptBest is null ? null : ToJson(promptBest),
    };

    private static LogProbabilityJson[][] ToJson(IReadOnlyList<IReadOnlyList<TokenLogProbability>> best) =>
        [.. best.Select(tokens => tokens.Select(token => new LogProbabilityJson(token.Id, token.LogProbability)).ToArray())];

    private sealed record Generation(IReadOnlyList<int> Ids, IReadOnlyList<IReadOnlyList<TokenLogProbability>> Best, string Text, FinishReason Reason);
}
