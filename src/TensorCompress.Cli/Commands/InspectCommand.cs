using System.CommandLine;
using System.Globalization;
using Spectre.Console;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Kernels.Simd;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tokenization;

namespace TensorCompress.Cli.Commands;

/// <summary><c>inspect</c>: what a model is and how it is stored; what this CPU offers.</summary>
internal sealed class InspectCommand : ToolCommand
{
    private readonly Argument<string> _model = ToolOptions.Model();
    private readonly Option<bool> _cpu = new("--cpu") { Description = "Show what this CPU offers." };
    private readonly Option<string> _layer = new("--layer") { Description = "Show one layer: what its method says about it, with a picture of its spectra.", HelpName = "NAME" };
    private readonly Option<string> _tokenizer = ToolOptions.TokenizerFile();

    public InspectCommand()
        : base("inspect", "Shows architecture, tensors, bits per weight and methods of a model, and what this CPU offers.")
    {
        _model.Arity = ArgumentArity.ZeroOrOne;
        Add(_model);
        Add(_cpu);
        Add(_layer);
        Add(_tokenizer);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        CpuDescription? cpu = arguments.GetValue(_cpu) ? CpuDescription.Current() : null;
        if (arguments.GetValue(_model) is { } model)
        {
            using ModelCheckpoint checkpoint = ModelCheckpoint.Open(BundledModels.Resolve(model));
            if (arguments.GetValue(_layer) is { } layer)
            {
                ShowLayer(checkpoint, layer, console);
                return ExitCode.Done;
            }

            (Tokenizer? tokenizer, string? fault) = LoadTokenizer(checkpoint, arguments.GetValue(_tokenizer));
            InspectionJson inspection = ModelInspection.Of(checkpoint, tokenizer, fault, cpu is null ? null : ToJson(cpu));
            Describe(console, inspection);
            console.WriteJson(inspection, ToolJson.Output.InspectionJson);
        }
        else if (cpu is not null)
        {
            console.WriteJson(ToJson(cpu), ToolJson.Output.CpuJson);
        }
        else
        {
            throw new UsageException("MODEL is required, or --cpu");
        }

        if (cpu is not null) Describe(console, cpu);
        return ExitCode.Done;
    }

    private static void ShowLayer(ModelCheckpoint checkpoint, string layer, ToolConsole console)
    {
        WeightExplanation explanation;
        try
        {
            explanation = LayerExplanation.Of(checkpoint, layer);
        }
        catch (ArgumentException fault)
        {
            throw new UsageException(fault.Message);
        }

        Table facts = Facts();
        Fact(facts, "layer", layer);
        foreach ((string name, string value) in explanation.Facts) Fact(facts, name, value);
        foreach (WeightSpectrum spectrum in explanation.Spectra)
        {
            Fact(facts, spectrum.Name, SpectrumBars.Range(spectrum.Values));
            Fact(facts, "", SpectrumBars.Draw(spectrum.Values));
        }

        console.Write(facts);
        console.WriteJson(
            new LayerExplanationJson(layer, explanation.Facts.ToDictionary(fact => fact.Key, fact => fact.Value), [.. explanation.Spectra.Select(spectrum => new SpectrumJson(spectrum.Name, spectrum.Values))]),
            ToolJson.Output.LayerExplanationJson);
    }

    // A model can be looked at although its tokenizer cannot be used.
    private static (Tokenizer? Tokenizer, string? Fault) LoadTokenizer(ModelCheckpoint checkpoint, string? chosen)
    {
        try
        {
            return (checkpoint.LoadTokenizer(chosen), null);
        }
        catch (TensorFormatException fault) when (fault.Kind == TensorFormatError.Unsupported && chosen is null)
        {
            return (null, fault.Message);
        }
    }

    private static void Describe(ToolConsole console, InspectionJson model)
    {
        Table facts = Facts();
        Fact(facts, "model", $"{model.Model} ({model.Format})");
        Fact(facts, "architecture", $"{model.Architecture}: {model.Blocks} blocks, width {model.HiddenSize}, vocabulary {model.VocabularySize}, context {model.ContextLength}");
        Fact(facts, "parameters", Figures.Count(model.Parameters));
        Fact(facts, "stored", $"{Figures.Bytes(model.StoredBytes)}, {Figures.Bits(model.BitsPerWeight)} bits per weight, {Figures.Bits(model.LinearBitsPerWeight)} over the linear layers");
        Fact(facts, "tensors", string.Join(", ", model.TensorTypes.Select(type => $"{Figures.Count(type.Tensors)} {type.Type} ({Figures.Bytes(type.StoredBytes)})")));
        Fact(facts, "tokenizer", model.Tokenizer ?? "none");
        Fact(facts, "chat template", model.ChatTemplates is { } named ? string.Join("; ", named.Select(template => $"{template.Key}: {template.Value.Family}, {template.Value.Characters} characters")) : "none");
        foreach (string warning in model.Warnings) Fact(facts, "note", warning);
        console.Write(facts);

        Table layers = new Table().Border(TableBorder.Simple).AddColumn(new TableColumn("layer").NoWrap()).AddColumn("method");
        foreach (string name in new[] { "shape", "bytes", "bits per weight" }) layers.AddColumn(new TableColumn(name).RightAligned());
        foreach (LayerSummaryJson layer in model.Layers)
        {
            layers.AddRow(
                new Text(layer.Name), new Text(layer.Method), new Text($"{layer.OutputDimension} x {layer.InputDimension}"), new Text(Figures.Count(layer.StoredBytes)),
                new Text(Figures.Bits(layer.BitsPerWeight)));
        }

        console.Write(layers);
        Table tensors = new Table().Border(TableBorder.Simple).AddColumn(new TableColumn("tensor").NoWrap()).AddColumns("type", "shape");
        foreach (TensorJson tensor in model.Tensors) tensors.AddRow(new Text(tensor.Name), new Text(tensor.Type), new Text(string.Join(" x ", tensor.Shape)));
        console.Write(tensors);
    }

    private static void Describe(ToolConsole console, CpuDescription cpu)
    {
        Table facts = Facts();
        Fact(facts, "CPU", $"{cpu.Name}, {cpu.Architecture}, {cpu.LogicalCores} logical cores");
        Fact(facts, "vectors", Width(SimdLevel.Active) + (SimdLevel.Active == SimdLevel.Hardware ? "" : $", capped by {SimdLevel.Variable}; the hardware has {Width(SimdLevel.Hardware)}"));
        Fact(facts, "offers", string.Join(", ", cpu.InstructionSets.Where(set => set.IsSupported).Select(set => set.Name)));
        Fact(facts, "lacks", string.Join(", ", cpu.InstructionSets.Where(set => !set.IsSupported).Select(set => set.Name)));
        if (cpu.Caches.Count > 0) Fact(facts, "caches", string.Join(", ", cpu.Caches.Select(cache => $"L{cache.Level} {Figures.Bytes(cache.Bytes)}")));
        Fact(facts, "threads", $"{cpu.LogicalCores} where --threads does not say otherwise");
        foreach (KernelChoice kernel in cpu.Kernels) Fact(facts, kernel.Operations, kernel.Implementation);
        console.Write(facts);
    }

    private static CpuJson ToJson(CpuDescription cpu) => new(
        cpu.Name, cpu.Architecture.ToString(), cpu.LogicalCores, Width(SimdLevel.Active), Width(SimdLevel.Hardware), cpu.InstructionSets.ToDictionary(set => set.Name, set => set.IsSupported),
        [.. cpu.Caches.Select(cache => new CacheJson(cache.Level, cache.Bytes))], cpu.Kernels.ToDictionary(kernel => kernel.Operations, kernel => kernel.Implementation));

    private static string Width(SimdWidth width) => width == SimdWidth.Scalar ? "scalar" : ((int)width).ToString(CultureInfo.InvariantCulture) + " bits";

    private static Table Facts() => new Table().Border(TableBorder.Simple).HideHeaders().AddColumns("", "");

    private static void Fact(Table table, string name, string value) => table.AddRow(new Text(name), new Text(value));
}
