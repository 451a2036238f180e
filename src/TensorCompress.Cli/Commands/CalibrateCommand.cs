using System.CommandLine;
using TensorCompress.Calibration;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Threading;

namespace TensorCompress.Cli.Commands;

/// <summary><c>calibrate</c>: statistics of the inputs of every layer, kept for several compressions of one model.</summary>
internal sealed class CalibrateCommand : ToolCommand
{
    private readonly Argument<string> _model = ToolOptions.Model();
    private readonly Option<string> _text = new("--text") { HelpName = "FILE", Description = "Calibration text, UTF-8.", Required = true };
    private readonly Option<string> _output = ToolOptions.Output("File of statistics to write, .safetensors; an existing one is replaced.");
    private readonly Option<int?> _tokens = ToolOptions.Number<int?>("--tokens", "N", $"Tokens of the text that are used, from its start; default 16384. {CalibrationChoice.Memory}.", ToolOptions.Whole(2, int.MaxValue));
    private readonly Option<int?> _context = ToolOptions.Number<int?>(
        "--context", "N", $"Tokens of a window; default: the model's context, at most {EvaluationWindows.DefaultContext}.", ToolOptions.Whole(2, int.MaxValue));

    private readonly Option<int?> _threads = ToolOptions.Threads();

    public CalibrateCommand()
        : base("calibrate", "Collects statistics of the inputs of every layer, for compress --calibration.")
    {
        Add(_model);
        foreach (Option option in new Option[] { _text, _output, _tokens, _context, _threads }) Add(option);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        string output = arguments.GetRequiredValue(_output);
        if (!output.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)) throw new UsageException($"statistics are written to a .safetensors file, not {output}");
        string text = File.ReadAllText(arguments.GetRequiredValue(_text));
        ComputePool pool = ToolOptions.Pool(arguments.GetValue(_threads));
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(BundledModels.Resolve(arguments.GetRequiredValue(_model)));
        ToolConsole.Warn(checkpoint.Warnings);
        IReadOnlyList<int[]> windows = CalibrationChoice.Windows(checkpoint, text, arguments.GetValue(_tokens), arguments.GetValue(_context));
        using LanguageModel model = LanguageModel.Load(checkpoint, new LanguageModelOptions { Pool = pool, WithoutTokenizer = true }, cancellationToken);
        using (var progress = new ProgressLine("calibrate"))
            CalibrationFile.Write(output, model, checkpoint.ComputeHash(cancellationToken), windows, progress, cancellationToken);

        long tokens = windows.Sum(window => (long)window.Length), bytes = new FileInfo(output).Length;
        int layers;
        using (CalibrationFile written = CalibrationFile.Open(output)) layers = written.Layers.Count;
        console.WriteLine($"{output}: inputs of {layers} layers over {Figures.Count(tokens)} tokens, {Figures.Bytes(bytes)}");
        console.WriteJson(new CalibrationJson(layers, tokens, bytes), ToolJson.Output.CalibrationJson);
        return ExitCode.Done;
    }
}
