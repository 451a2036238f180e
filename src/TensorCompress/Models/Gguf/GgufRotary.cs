using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Storage;

namespace TensorCompress.Models.Gguf;

/// <summary>Rotary embedding in GGUF metadata: base, turned channels, and the rules that stretch it; a rule that has no key is a tensor of factors.</summary>
internal static class GgufRotary
{
    private const string FactorsTensor = "rope_freqs.weight";

    /// <summary>Tensors of factors: they become part of the configuration.</summary>
    public static bool IsFactors(string tensor) => tensor == FactorsTensor;

    /// <summary>Adds <c>rope_theta</c>, <c>rope_scaling</c> and the share of turned channels to a configuration.</summary>
    public static void Read(GgufModelMetadata metadata, JsonObject configuration, int headDimension, bool isPartlyTurned, double theta)
    {
        theta = metadata.PositiveNumber("rope.freq_base", theta);
        int turned = metadata.OptionalDimension("rope.dimension_count") ?? headDimension;
        if (turned != headDimension && (!isPartlyTurned || turned > headDimension || turned % 2 != 0))
            throw metadata.Unsupported("rope.dimension_count", $"{turned}", isPartlyTurned ? $"an even number up to {headDimension}" : $"all {headDimension} channels of a head");
        configuration["rope_theta"] = theta;
        if (turned != headDimension) configuration["partial_rotary_factor"] = Share(turned, headDimension);
        JsonObject? scaling = Scaling(metadata, turned, theta);
        if (scaling is not null) configuration["rope_scaling"] = scaling;
    }

    /// <summary>Writes base, turned channels and rule.</summary>
    /// <param name="export">The model.</param>
    /// <param name="takesFactors">Whether readers apply a factor for each frequency.</param>
    public static void Write(GgufExport export, bool takesFactors)
    {
        // Blocks that slide may have a base of their own, which the architecture writes.
        RotaryDefinition? rotary = (export.Definition.Blocks.FirstOrDefault(block => block.Attention is { Rotary: not null, Window: null })
            ?? export.Definition.Blocks.FirstOrDefault(block => block.Attention.Rotary is not null))?.Attention.Rotary;
        if (rotary is null) throw export.Refuse("no block has a rotary embedding");
        export.Integer("rope.dimension_count", 2 * rotary.InverseFrequencies.Count);
        export.Number("rope.freq_base", rotary.Theta);
        switch (rotary.Scaling)
        {
            case null: break;
            case { Kind: "linear" } linear:
                export.Text("rope.scaling.type", "linear");
                export.Number("rope.scaling.factor", linear.Factor);
                break;
            case { Kind: "yarn" } yarn: WriteYarn(export, rotary, yarn); break;
            case { Kind: "llama3" } when takesFactors:
                float[] plain = RotaryFrequencies.Plain(2 * rotary.InverseFrequencies.Count, rotary.Theta);
                export.ExtraTensors.Add((FactorsTensor, [.. plain.Zip(rotary.InverseFrequencies, (frequency, stretched) => frequency / stretched)]));
                break;
            case { Kind: "dynamic" }:
                export.Warnings.Add("rotary embedding that changes with the length of the text has no place in GGUF: up to the context length it is the plain one, which is written");
                break;
            case { } other: throw export.Refuse($"readers do not know {other.Kind} rotary scaling there");
        }
    }

    private static void WriteYarn(GgufExport export, RotaryDefinition rotary, RotaryScaling yarn)
    {
        if (!yarn.Truncates) throw export.Refuse("readers round the ends of YaRN's ramp");
        export.Text("rope.scaling.type", "yarn");
        export.Number("rope.scaling.factor", yarn.Factor);
        export.Integer("rope.scaling.original_context_length", checked((int)yarn.OriginalContext));
        export.Number("rope.scaling.yarn_beta_fast", yarn.BetaFast);
        export.Number("rope.scaling.yarn_beta_slow", yarn.BetaSlow);
        double own = rotary.Magnitude / YarnMagnitude(yarn.Factor);
        if (Math.Abs(own - 1) > 1e-6) export.Number("rope.scaling.attn_factor", own);
    }

    private static JsonObject? Scaling(GgufModelMetadata metadata, int turned, double theta)
    {
        string type = metadata.Text("rope.scaling.type") ?? (metadata.OptionalNumber("rope.scale_linear") is null ? "none" : "linear");
        double? factor = metadata.OptionalNumber("rope.scaling.factor") ?? metadata.OptionalNumber("rope.scale_linear");
        if (metadata.HasTensor("rope_factors_long.weight") || metadata.HasTensor("rope_factors_short.weight"))
            throw metadata.Unsupported("rope.scaling.type", "longrope (tensors of long and short factors)", "none, linear, yarn, llama3 (a tensor of factors)");
        switch (type)
        {
            case "none" or "linear" when factor is null or 1:
                return metadata.HasTensor(FactorsTensor) ? Llama3(metadata, turned, theta) : null;
            case "linear":
                return new JsonObject { ["rope_type"] = "linear", ["factor"] = factor };
            case "yarn":
                double stretch = factor ?? throw metadata.Fault(TensorFormatError.Value, "rope.scaling.factor", "is missing");
                double magnitude = YarnMagnitude(stretch) * metadata.PositiveNumber("rope.scaling.attn_factor", 1) * metadata.PositiveNumber("rope.scaling.yarn_attn_factor", 1);
                return new JsonObject
                {
                    ["rope_type"] = "yarn",
                    ["factor"] = stretch,
                    ["original_max_position_embeddings"] = metadata.OptionalDimension("rope.scaling.original_context_length") ?? metadata.Dimension("context_length"),
                    ["beta_fast"] = metadata.PositiveNumber("rope.scaling.yarn_beta_fast", 32),
                    ["beta_slow"] = metadata.PositiveNumber("rope.scaling.yarn_beta_slow", 1),
                    ["attention_factor"] = magnitude,
                };
            default: throw metadata.Unsupported("rope.scaling.type", type, "none, linear, yarn, llama3 (a tensor of factors)");
        }
    }

    private static JsonObject? Llama3(GgufModelMetadata metadata, int turned, double theta)
    {
        if (metadata.File.Tensors[FactorsTensor].ElementCount != turned / 2)
            throw new TensorFormatException(TensorFormatError.Inconsistent, $"{metadata.File.Tensors[FactorsTensor].ElementCount} factors for {turned / 2} frequencies", tensor: FactorsTensor);
        var factors = new float[turned / 2];
        metadata.File.ReadSingles(FactorsTensor, 0, factors);
        if (factors.Any(factor => !float.IsFinite(factor) || factor <= 0)) throw new TensorFormatException(TensorFormatError.Value, "a factor is not finite and positive", tensor: FactorsTensor);
        if (factors.All(factor => factor == 1)) return null;
        return Llama3Factors.Fit(factors, RotaryFrequencies.Plain(turned, theta))
            ?? throw new TensorFormatException(TensorFormatError.Unsupported, "factors of frequencies that are not those of the llama3 rule", tensor: FactorsTensor);
    }

    // cos and sin grow by this, if the model does not say otherwise.
    private static double YarnMagnitude(double factor) => factor <= 1 ? 1 : 0.1 * Math.Log(factor) + 1;

    // A decimal share whose product with the width gives the number of channels when it is cut to an integer.
    private static double Share(int turned, int headDimension)
    {
        double share = (double)turned / headDimension;
        return (int)(headDimension * share) == turned ? share : Math.BitIncrement(share);
    }
}
