using System.CommandLine;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Pipeline;
using TensorCompress.Tensors;

namespace TensorCompress.Cli.Commands;

/// <summary><c>convert</c>: any model that can be read, as a dense checkpoint folder.</summary>
internal sealed class ConvertCommand : ToolCommand
{
    private static readonly Dictionary<string, ElementType> Types = new() { ["f32"] = ElementType.F32, ["bf16"] = ElementType.BF16, ["f16"] = ElementType.F16 };

    private readonly Argument<string> _model = ToolOptions.Model();
    private readonly Option<string> _output = ToolOptions.Output("Folder to make; must not exist, or be empty.");
    private readonly Option<string> _to = new("--to") { HelpName = "FORMAT", Description = "dense: a checkpoint folder.", DefaultValueFactory = _ => "dense" };
    private readonly Option<string> _type = new("--type") { HelpName = "TYPE", Description = "Type of the matrices: f32, bf16 or f16.", DefaultValueFactory = _ => "f32" };

    public ConvertCommand()
        : base("convert", "Writes a GGUF, llama2.c or compressed model as a dense checkpoint folder.")
    {
        Add(_model);
        Add(_output);
        Add(_to);
        Add(_type);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        string to = arguments.GetRequiredValue(_to), typeName = arguments.GetRequiredValue(_type);
        if (to != "dense") throw new UsageException($"--to takes dense, not \"{to}\"");
        if (!Types.TryGetValue(typeName, out ElementType type)) throw new UsageException($"--type takes {string.Join(", ", Types.Keys)}, not \"{typeName}\"");
        string output = arguments.GetRequiredValue(_output);
        ConversionReport report;
        using (var progress = new ProgressLine("convert"))
            report = ModelConverter.Convert(BundledModels.Resolve(arguments.GetRequiredValue(_model)), output, type, progress, cancellationToken);

        ToolConsole.Warn(report.Warnings);
        console.WriteLine($"{output}: {Figures.Bytes(report.Size.StoredBytes)}, {Figures.Bits(report.Size.BitsPerWeight)} bits per weight, {Figures.Seconds(report.Elapsed)}");
        console.WriteJson(
            new ConversionJson(output, typeName, report.Size.StoredBytes, report.Size.BitsPerWeight, report.Elapsed.TotalSeconds), ToolJson.Output.ConversionJson);
        return ExitCode.Done;
    }
}
