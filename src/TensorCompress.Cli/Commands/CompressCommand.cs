using System.CommandLine;
using Spectre.Console;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Compression;
using TensorCompress.Models;
using TensorCompress.Pipeline;

namespace TensorCompress.Cli.Commands;

/// <summary><c>compress</c>: a smaller checkpoint folder that runs in compressed form.</summary>
internal sealed class CompressCommand : ToolCommand
{
    private readonly Argument<string> _model = ToolOptions.Model();
    private readonly Option<string> _output = ToolOptions.Output("Folder to make; must not exist, or be empty.");
    private readonly MethodChoice _choice = new();
    private readonly CalibrationChoice _calibration = new();
    private readonly Option<ulong?> _seed = ToolOptions.Seed();
    private readonly Option<int?> _threads = ToolOptions.Threads();
    private readonly Option<bool> _restart = new("--restart") { Description = "Forget the layers that an interrupted run with the same output has done; without it they are taken over." };

    public CompressCommand()
        : base("compress", "Compresses the weights of a model into a new checkpoint folder.")
    {
        Add(_model);
        Add(_output);
        foreach (Option option in _choice.Options.Concat(_calibration.Options)) Add(option);
        Add(_seed);
        Add(_threads);
        Add(_restart);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        Func<ModelDefinition, CompressionRecipe> choice = _choice.Parse(arguments);
        string model = BundledModels.Resolve(arguments.GetRequiredValue(_model)), output = arguments.GetRequiredValue(_output);
        CompressionJobOptions options;
        using (ModelCheckpoint checkpoint = ModelCheckpoint.Open(model))
        {
            options = new CompressionJobOptions
            {
                Recipe = choice(checkpoint.Definition),
                Calibration = _calibration.Parse(arguments, checkpoint),
                Seed = arguments.GetValue(_seed) ?? 0,
                Pool = ToolOptions.Pool(arguments.GetValue(_threads)),
                Restart = arguments.GetValue(_restart),
            };
        }

        CompressionReport report;
        using (var progress = new ProgressLine("compress")) report = ModelCompressor.Compress(model, output, options, progress, cancellationToken);
        ToolConsole.Warn(report.Warnings);
        console.Write(Describe(report));
        console.WriteLine(
            $"{output}: {Figures.Bytes(report.Size.StoredBytes)}, {Figures.Bits(report.Size.BitsPerWeight)} bits per weight over all {Figures.Count(report.Size.ParameterCount)} parameters, "
            + $"{Figures.Bits(report.Size.LinearBitsPerWeight)} over the compressed layers; {Figures.Seconds(report.Elapsed)}, at most {Figures.Bytes(report.PeakBytes)} of memory");
        console.WriteJson(ToJson(report), ToolJson.Output.CompressionJson);
        return ExitCode.Done;
    }

    private static Table Describe(CompressionReport report)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn(new TableColumn("layer").NoWrap()).AddColumn("method");
        foreach (string name in new[] { "bytes", "bits per weight", "relative error", "output error", "time" }) table.AddColumn(new TableColumn(name).RightAligned());
        bool haveChoices = report.Layers.Any(layer => layer.Choices is not null);
        if (haveChoices) table.AddColumn("chosen");
        foreach (LayerReport layer in report.Layers)
        {
            Text[] row =
            [
                new Text(layer.Name), new Text(layer.Method), new Text(Figures.Count(layer.StoredBytes)),
                new Text(Figures.Bits(layer.BitsPerWeight)), new Text(Figures.Significant(layer.RelativeError)),
                new Text(layer.OutputError is { } error ? Figures.Significant(error) : "-"), new Text(Figures.Seconds(layer.Elapsed)),
            ];
            table.AddRow(haveChoices ? [.. row, new Text(layer.Choices ?? "")] : row);
        }

        return table;
    }

    private static CompressionJson ToJson(CompressionReport report) => new(
        [
            .. report.Layers.Select(layer => new LayerJson(
                layer.Name, layer.Method, layer.StoredBytes, layer.BitsPerWeight, layer.RelativeError, layer.OutputError, layer.Elapsed.TotalSeconds, layer.Choices)),
        ],
        report.Size.StoredBytes, report.Elapsed.TotalSeconds, report.PeakBytes);
}
