using System.CommandLine;
using Spectre.Console;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Threading;
using TensorCompress.Tokenization;

namespace TensorCompress.Cli.Commands;

/// <summary><c>eval</c>: how well a model predicts a text, and how far it is from a reference.</summary>
internal sealed class EvalCommand : ToolCommand
{
    private readonly Argument<string> _model = ToolOptions.Model();
    private readonly Option<string> _text = new("--text") { HelpName = "FILE", Description = "Text to predict, UTF-8.", Required = true };
    private readonly Option<string> _reference = new("--reference") { HelpName = "DENSE", Description = "Model to compare with: gives KL divergence and agreement." };
    private readonly Option<int?> _context = ToolOptions.Number<int?>(
        "--context", "N", $"Tokens of a window; default: the model's context, at most {EvaluationWindows.DefaultContext} without --documents.", ToolOptions.Whole(2, int.MaxValue));
    private readonly Option<int?> _maxTokens = ToolOptions.Number<int?>("--max-tokens", "N", "Window tokens at most (whole windows).", ToolOptions.Whole(1, int.MaxValue));
    private readonly Option<string> _documents = new("--documents") { HelpName = "SEPARATOR", Description = "Text between documents; each becomes a window of its own, BOS first." };
    private readonly Option<int?> _skipDocuments = ToolOptions.Number<int?>("--skip-documents", "N", "Documents left out at the beginning.", ToolOptions.Whole(0, int.MaxValue));
    private readonly Option<int?> _maxDocuments = ToolOptions.Number<int?>("--max-documents", "N", "Documents at most.", ToolOptions.Whole(1, int.MaxValue));
    private readonly Option<string> _tokenizer = ToolOptions.TokenizerFile();
    private readonly Option<int?> _threads = ToolOptions.Threads();
    private readonly RuntimeArguments _runtime = new();

    public EvalCommand()
        : base("eval", "Measures perplexity on a text, and KL divergence to a reference model.")
    {
        Add(_model);
        foreach (Option option in (Option[])[_text, _reference, _context, _maxTokens, _documents, _skipDocuments, _maxDocuments, _tokenizer, _threads, .. _runtime.Options]) Add(option);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        CheckUsage(arguments);
        RuntimeOptions runtime = _runtime.Of(arguments);
        string text = File.ReadAllText(arguments.GetRequiredValue(_text));
        ComputePool pool = ToolOptions.Pool(arguments.GetValue(_threads));
        var options = new LanguageModelOptions { Pool = pool, Runtime = runtime, TokenizerPath = arguments.GetValue(_tokenizer) };
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(BundledModels.Resolve(arguments.GetRequiredValue(_model)));
        ToolConsole.Warn(checkpoint.Warnings);
        using LanguageModel model = LanguageModel.Load(checkpoint, options, cancellationToken);
        using LanguageModel? reference = arguments.GetValue(_reference) is { } path
            ? LanguageModel.Load(BundledModels.Resolve(path), new LanguageModelOptions { Pool = pool, Runtime = runtime }, cancellationToken)
            : null;
        IReadOnlyList<int[]> windows = Windows(arguments, model, text);

        EvaluationResult result;
        using (var progress = new ProgressLine("eval")) result = Evaluator.Evaluate(model, windows, reference, progress, cancellationToken);
        ModelSize size = ModelSize.Of(checkpoint);
        console.Write(Describe(result, size));
        console.WriteJson(ToJson(result, size), ToolJson.Output.EvaluationJson);
        return ExitCode.Done;
    }

    private void CheckUsage(ParseResult arguments)
    {
        bool hasDocuments = arguments.GetValue(_documents) is not null;
        if (arguments.GetValue(_documents) is "") throw new UsageException("--documents takes the text between documents, not an empty one");
        if (hasDocuments && arguments.GetValue(_maxTokens) is not null) throw new UsageException("--max-tokens counts tokens of windows of one text; with --documents use --max-documents");
        if (!hasDocuments && (arguments.GetValue(_skipDocuments) ?? arguments.GetValue(_maxDocuments)) is not null)
            throw new UsageException("--skip-documents and --max-documents need --documents SEPARATOR");
    }

    private IReadOnlyList<int[]> Windows(ParseResult arguments, LanguageModel model, string text)
    {
        Tokenizer tokenizer = model.Tokenizer ?? throw new UsageException("no tokenizer lies beside the model: name one with --tokenizer FILE");
        int context = model.Definition.ContextLength;
        int? chosen = arguments.GetValue(_context);
        return arguments.GetValue(_documents) is { } separator
            ? EvaluationWindows.FromDocuments(tokenizer, text, separator, chosen ?? context, arguments.GetValue(_skipDocuments) ?? 0, arguments.GetValue(_maxDocuments))
            : EvaluationWindows.FromText(tokenizer, text, chosen ?? Math.Min(context, EvaluationWindows.DefaultContext), arguments.GetValue(_maxTokens));
    }

    private static Table Describe(EvaluationResult result, ModelSize size)
    {
        var table = new Table().Border(TableBorder.Simple).HideHeaders().AddColumns("", "");
        void Row(string name, string value) => table.AddRow(new Text(name), new Text(value));
        Row("perplexity", $"{Figures.Significant(result.Perplexity, 5)} +- {Figures.Significant(result.PerplexityStandardError, 2)}");
        Row("loss", $"{Figures.Significant(result.Loss, 5)} nats per token");
        Row("accuracy", Figures.Percent(result.Accuracy));
        if (result.Kl is { } kl)
        {
            Row("KL to the reference", $"mean {Figures.Significant(kl.Mean)}, median {Figures.Significant(kl.Median)}, 99 % {Figures.Significant(kl.P99)}, 99.9 % {Figures.Significant(kl.P999)} nats");
            Row("same best token", Figures.Percent(result.TopAgreement!.Value));
        }

        Row("bits per weight", $"{Figures.Bits(size.BitsPerWeight)} over all parameters, {Figures.Bits(size.LinearBitsPerWeight)} over the linear layers");
        Row("stored", Figures.Bytes(size.StoredBytes));
        Row("speed", $"{Figures.Significant(result.TokensPerSecond, 3)} tokens/s over {Figures.Count(result.Tokens)} scored tokens");
        return table;
    }

    private static EvaluationJson ToJson(EvaluationResult result, ModelSize size) => new()
    {
        Tokens = result.Tokens,
        Loss = result.Loss,
        Perplexity = result.Perplexity,
        PerplexityStandardError = result.PerplexityStandardError,
        BitsPerWeight = size.BitsPerWeight,
        LinearBitsPerWeight = size.LinearBitsPerWeight,
        StoredBytes = size.StoredBytes,
        TokensPerSecond = result.TokensPerSecond,
        Accuracy = result.Accuracy,
        Kl = result.Kl is { } kl ? new KlJson(kl.Mean, kl.Median, kl.P99, kl.P999) : null,
        TopAgreement = result.TopAgreement,
    };
}
