using System.CommandLine;
using TensorCompress.Cli.Terminal;
using TensorCompress.Layers;

namespace TensorCompress.Cli.Commands;

/// <summary>The options of verbs that run models: how activations enter the products of compressed weights.</summary>
internal sealed class RuntimeArguments
{
    private readonly Option<ActivationPrecision?> _activations = ToolOptions.Number<ActivationPrecision?>(
        "--activations", "int8|f32", "Activations of layers with 4- or 8-bit codes and of universal codebooks: 8-bit integers (default, fast) or floats (exact products, of signs too).", text => text switch
        {
            "int8" => (ActivationPrecision.Int8, null),
            "f32" => (ActivationPrecision.F32, null),
            _ => (null, "int8 or f32"),
        });

    private readonly Option<SignPrecision?> _signs = ToolOptions.Number<SignPrecision?>(
        "--signs", "high|fast|exact", "Activations of layers of signs (dbf): 16-bit integers (default), 8-bit ones (about 1 % error per product) or floats (exact products).", text => text switch
        {
            "high" => (SignPrecision.High, null),
            "fast" => (SignPrecision.Fast, null),
            "exact" => (SignPrecision.Exact, null),
            _ => (null, "high, fast or exact"),
        });

    public IReadOnlyList<Option> Options => [_activations, _signs];

    /// <exception cref="UsageException">Exact products are asked for, and signs that are not.</exception>
    public RuntimeOptions Of(ParseResult arguments)
    {
        bool isExact = arguments.GetValue(_activations) is ActivationPrecision.F32;
        SignPrecision? signs = arguments.GetValue(_signs);
        if (isExact && signs is SignPrecision.High or SignPrecision.Fast) throw new UsageException("--activations f32 means exact products of signs too: leave out --signs, or take --activations int8");
        RuntimeOptions options = isExact ? RuntimeOptions.Exact : RuntimeOptions.Default;
        return signs is { } precision ? options with { Signs = precision } : options;
    }
}
