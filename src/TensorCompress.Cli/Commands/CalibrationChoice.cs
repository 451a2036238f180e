using System.CommandLine;
using TensorCompress.Cli.Terminal;
using TensorCompress.Evaluation;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Tokenization;

namespace TensorCompress.Cli.Commands;

/// <summary>The part of a command line that says what a model is calibrated on.</summary>
internal sealed class CalibrationChoice
{
    /// <summary>What calibration takes, for help texts.</summary>
    public const string Memory = "Memory: tokens x (hidden size + widest input of a layer) x 4 bytes";

    private const int DefaultTokens = 16384;
    private const string StatisticsExtension = ".safetensors", CompressedPrefix = "compressed", DensePrefix = "dense", OutputTarget = "outputs", WeightTarget = "weights";

    private readonly Option<string> _calibration = new("--calibration")
    {
        HelpName = "TEXT",
        Description = $"Text, UTF-8, that shows the model's inputs to methods which can use them; or a {StatisticsExtension} file that calibrate has made of the same model.",
    };

    private readonly Option<int?> _tokens = ToolOptions.Number<int?>("--calibration-tokens", "N", $"Tokens of the text that are used, from its start; default {DefaultTokens}. {Memory}, twice with --target {OutputTarget}.", ToolOptions.Whole(2, int.MaxValue));
    private readonly Option<int?> _context = ToolOptions.Number<int?>(
        "--context", "N", $"Tokens of a calibration window; default: the model's context, at most {EvaluationWindows.DefaultContext}.", ToolOptions.Whole(2, int.MaxValue));

    private readonly Option<string> _prefix = new("--prefix")
    {
        HelpName = $"{CompressedPrefix}|{DensePrefix}",
        Description = "Whether a layer is calibrated on what the compressed layers before it give (default), or the dense ones.",
    };

    private readonly Option<string> _target = new("--target")
    {
        HelpName = $"{OutputTarget}|{WeightTarget}",
        Description = "Whether a layer behind compressed layers aims at what the dense model has in its place (default; a second pass of it) or at the dense layer's weights.",
    };

    private readonly Option<float?> _shrinkage = ToolOptions.Number(
        "--shrinkage", "S", "Part of what the text shows of pairs of inputs, 0 to 1, that methods are not told of; default 0. For texts of few tokens.", ToolOptions.Decimal);

    /// <summary>The options.</summary>
    public IEnumerable<Option> Options => [_calibration, _tokens, _context, _prefix, _target, _shrinkage];

    /// <summary>What the command line says; null where it asks for no calibration.</summary>
    /// <exception cref="UsageException">An option has no text to go to, or there is no tokenizer.</exception>
    public CalibrationOptions? Parse(ParseResult arguments, ModelCheckpoint checkpoint)
    {
        string? prefix = arguments.GetValue(_prefix);
        if (prefix is not (null or CompressedPrefix or DensePrefix)) throw new UsageException($"--prefix is {CompressedPrefix} or {DensePrefix}, not \"{prefix}\"");
        string? target = arguments.GetValue(_target);
        if (target is not (null or OutputTarget or WeightTarget)) throw new UsageException($"--target is {OutputTarget} or {WeightTarget}, not \"{target}\"");
        if (target is OutputTarget && prefix is DensePrefix) throw new UsageException($"--target {OutputTarget} needs --prefix {CompressedPrefix}: behind dense layers there is nothing to take back");
        if (arguments.GetValue(_calibration) is not { } file)
        {
            if (prefix is not null || target is not null || arguments.GetValue(_tokens) is not null || arguments.GetValue(_context) is not null || arguments.GetValue(_shrinkage) is not null)
                throw new UsageException("--calibration-tokens, --context, --prefix, --target and --shrinkage need --calibration TEXT");
            return null;
        }

        float shrinkage = arguments.GetValue(_shrinkage) ?? 0;
        if (file.EndsWith(StatisticsExtension, StringComparison.OrdinalIgnoreCase)) return new CalibrationOptions { StatisticsFile = file, Shrinkage = shrinkage };
        return new CalibrationOptions
        {
            Windows = Windows(checkpoint, File.ReadAllText(file), arguments.GetValue(_tokens), arguments.GetValue(_context)),
            CompressedPrefix = prefix is not DensePrefix,
            Target = target is WeightTarget ? CalibrationTarget.Weights : CalibrationTarget.DenseOutputs,
            Shrinkage = shrinkage,
        };
    }

    /// <summary>Cuts a text into calibration windows.</summary>
    public static IReadOnlyList<int[]> Windows(ModelCheckpoint checkpoint, string text, int? tokens, int? context)
    {
        Tokenizer tokenizer = checkpoint.LoadTokenizer(null) ?? throw new UsageException("no tokenizer lies beside the model, so a calibration text cannot be read");
        int limit = checkpoint.Definition.ContextLength;
        if (context > limit) throw new UsageException($"--context {context} is more than the {limit} positions of the model");
        return EvaluationWindows.FromText(tokenizer, text, context ?? Math.Min(limit, EvaluationWindows.DefaultContext), tokens ?? DefaultTokens);
    }
}
