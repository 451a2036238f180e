using System.CommandLine;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Pipeline;
using TensorCompress.Tensors;

namespace TensorCompress.Cli.Commands;

/// <summary><c>convert</c>: any model that can be read, as a dense checkpoint folder or a GGUF file.</summary>
internal sealed class ConvertCommand : ToolCommand
{
    private const string Dense = "dense";
    private const string Gguf = "gguf";

    private static readonly Dictionary<string, ElementType> Types = new() { ["f32"] = ElementType.F32, ["bf16"] = ElementType.BF16, ["f16"] = ElementType.F16 };

    private static readonly Dictionary<string, GgufWeightType> GgufTypes = new()
    {
        ["f32"] = GgufWeightType.F32,
        ["f16"] = GgufWeightType.F16,
        ["bf16"] = GgufWeightType.BF16,
        ["q8_0"] = GgufWeightType.Q80,
        ["q4_0"] = GgufWeightType.Q40,
    };

    private readonly Argument<string> _model = ToolOptions.Model();
    private readonly Option<string> _output = ToolOptions.Output("Folder to make, or with --to gguf file; must not exist, or be an empty folder.");
    private readonly Option<string> _to = new("--to") { HelpName = "FORMAT", Description = "dense: a checkpoint folder. gguf: a file for llama.cpp and its relatives.", DefaultValueFactory = _ => Dense };
    private readonly Option<string?> _type = new("--type")
    {
        HelpName = "TYPE",
        Description = "Type of the matrices. dense: f32, bf16 or f16; by default bf16 where it loses nothing, else f32. gguf: f32, f16, bf16, q8_0 or q4_0; by default f16.",
    };

    public ConvertCommand()
        : base("convert", "Writes a GGUF, llama2.c or compressed model as a dense checkpoint folder, or any model as a GGUF file.")
    {
        Add(_model);
        Add(_output);
        Add(_to);
        Add(_type);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        string to = arguments.GetRequiredValue(_to);
        if (to is not (Dense or Gguf)) throw new UsageException($"--to takes {Dense} or {Gguf}, not \"{to}\"");
        string model = BundledModels.Resolve(arguments.GetRequiredValue(_model)), output = arguments.GetRequiredValue(_output);
        ConversionJson result;
        IReadOnlyList<string> warnings;
        using (var progress = new ProgressLine("convert"))
        {
            if (to == Gguf)
            {
                GgufExportReport report = GgufExporter.Export(model, output, Type(arguments, GgufTypes) ?? GgufWeightType.F16, progress, cancellationToken);
                (result, warnings) = (new ConversionJson(output, NameOf(GgufTypes, report.Type), report.StoredBytes, report.BitsPerWeight, report.Elapsed.TotalSeconds), report.Warnings);
            }
            else
            {
                ConversionReport report = ModelConverter.Convert(model, output, Type(arguments, Types), progress, cancellationToken);
                (result, warnings) = (new ConversionJson(output, NameOf(Types, report.ElementType), report.Size.StoredBytes, report.Size.BitsPerWeight, report.Elapsed.TotalSeconds), report.Warnings);
            }
        }

        ToolConsole.Warn(warnings);
        console.WriteLine($"{output}: {result.Type}, {Figures.Bytes(result.StoredBytes)}, {Figures.Bits(result.BitsPerWeight)} bits per weight, {result.Seconds:F1} s");
        console.WriteJson(result, ToolJson.Output.ConversionJson);
        return ExitCode.Done;
    }

    private static string NameOf<TType>(Dictionary<string, TType> types, TType type)
        where TType : struct, Enum => types.First(entry => entry.Value.Equals(type)).Key;

    private TType? Type<TType>(ParseResult arguments, Dictionary<string, TType> types)
        where TType : struct
    {
        if (arguments.GetValue(_type) is not { } name) return null;
        return types.TryGetValue(name, out TType type) ? type : throw new UsageException($"--type takes {string.Join(", ", types.Keys)} here, not \"{name}\"");
    }
}
