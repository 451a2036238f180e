using System.CommandLine;
using Spectre.Console;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Evaluation;
using TensorCompress.Inference;

namespace TensorCompress.Cli.Commands;

/// <summary><c>bench</c>: how fast a model runs here, and what a token costs.</summary>
internal sealed class BenchCommand : ToolCommand
{
    private readonly Argument<string> _model = ToolOptions.Model();
    private readonly Option<int?> _promptTokens = ToolOptions.Number<int?>("--prompt-tokens", "N", "Tokens of the prompt; default 128, or what fits into the context.", ToolOptions.Whole(1, int.MaxValue));
    private readonly Option<int?> _generateTokens = ToolOptions.Number<int?>("--generate-tokens", "N", "Tokens generated after it; default 32, or what fits.", ToolOptions.Whole(1, int.MaxValue));
    private readonly Option<int?> _repetitions = ToolOptions.Number<int?>("--repetitions", "N", "Runs whose medians are given; default 5. One more before them warms up.", ToolOptions.Whole(1, 1000));
    private readonly Option<int?> _threads = ToolOptions.Threads();
    private readonly RuntimeArguments _runtime = new();

    public BenchCommand()
        : base("bench", "Measures how fast a model takes in a prompt and generates, and what a generated token costs.")
    {
        Add(_model);
        foreach (Option option in (Option[])[_promptTokens, _generateTokens, _repetitions, _threads, .. _runtime.Options]) Add(option);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        var load = new LanguageModelOptions
        {
            Pool = ToolOptions.Pool(arguments.GetValue(_threads)),
            Runtime = _runtime.Of(arguments),
            WithoutTokenizer = true,
        };
        using LanguageModel model = LanguageModel.Load(BundledModels.Resolve(arguments.GetRequiredValue(_model)), load, cancellationToken);
        SpeedOptions options = OptionsFor(model.Definition.ContextLength, arguments);
        SpeedMeasurement speed;
        using (var progress = new ProgressLine("bench")) speed = SpeedMeter.Measure(model, options, progress, cancellationToken);
        console.Write(Describe(speed, options));
        console.WriteJson(ToJson(speed), ToolJson.Output.SpeedJson);
        return ExitCode.Done;
    }

    // What is asked for is taken as it is; what is not gets what is left of the context.
    private SpeedOptions OptionsFor(int context, ParseResult arguments)
    {
        SpeedOptions defaults = SpeedMeter.DefaultsFor(context);
        int? prompt = arguments.GetValue(_promptTokens), generate = arguments.GetValue(_generateTokens);
        if ((long)(prompt ?? 1) + (generate ?? 1) > context) throw new UsageException($"--prompt-tokens and --generate-tokens do not fit into the model's context of {context}");
        return defaults with
        {
            PromptTokens = prompt ?? Math.Min(defaults.PromptTokens, context - (generate ?? 1)),
            GenerateTokens = generate ?? Math.Min(defaults.GenerateTokens, context - (prompt ?? defaults.PromptTokens)),
            Repetitions = arguments.GetValue(_repetitions) ?? defaults.Repetitions,
        };
    }

    private static Table Describe(SpeedMeasurement speed, SpeedOptions options)
    {
        var table = new Table().Border(TableBorder.Simple).HideHeaders().AddColumns("", "");
        void Row(string name, string value) => table.AddRow(new Text(name), new Text(value));
        Row("prompt", $"{Figures.Significant(speed.PrefillTokensPerSecond)} tokens/s over {Figures.Count(options.PromptTokens)} tokens");
        Row("generation", $"{Figures.Significant(speed.DecodeTokensPerSecond)} tokens/s over {Figures.Count(options.GenerateTokens)} tokens after the prompt");
        Row("threads", Figures.Count(speed.Threads));
        Row("memory", $"{Figures.Bytes(speed.ModelBytes)} of weights, the process at most {Figures.Bytes(speed.PeakBytes)}");
        Row("a generated token", $"reads {Figures.Bytes(speed.Cost.Bytes)}, {Figures.Count(speed.Cost.Multiplications)} multiplications, {Figures.Count(speed.Cost.Additions)} additions");
        Row("", $"{Figures.Significant(speed.CpuSecondsPerToken * 1000, 3)} ms of processor time" + (speed.JoulesPerToken is { } joules ? $", {Figures.Significant(joules, 3)} joules" : ""));
        Row("medians of", $"{Figures.Count(options.Repetitions)} runs");
        return table;
    }

    private static SpeedJson ToJson(SpeedMeasurement speed) => new()
    {
        PrefillTokensPerSecond = speed.PrefillTokensPerSecond,
        DecodeTokensPerSecond = speed.DecodeTokensPerSecond,
        PeakBytes = speed.PeakBytes,
        ModelBytes = speed.ModelBytes,
        Threads = speed.Threads,
        BytesPerToken = speed.Cost.Bytes,
        MultiplicationsPerToken = speed.Cost.Multiplications,
        AdditionsPerToken = speed.Cost.Additions,
        CpuSecondsPerToken = speed.CpuSecondsPerToken,
        JoulesPerToken = speed.JoulesPerToken,
    };
}
