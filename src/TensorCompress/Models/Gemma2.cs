using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>Gemma 2 (Gemma team 2024): four norms a block whose stored gain is one less, scaled embedding, bounded scores and logits, every other layer slides.</summary>
internal sealed class Gemma2 : IArchitecture
{
    public string ModelType => "gemma2";

    public ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        LlamaFamily family = Begin(configuration);
        family.ScoreCap = OptionalNumber(configuration, "attn_logit_softcapping");
        family.LogitCap = OptionalNumber(configuration, "final_logit_softcapping");
        int?[] windows = Configurations.Windows(configuration, family.Layers, layer => layer % 2 == 0);
        family.Window = layer => windows[layer];
        return family.Build();
    }

    /// <summary>What Gemma 2 and 3 share.</summary>
    internal static LlamaFamily Begin(ModelConfiguration configuration)
    {
        bool bias = configuration.Flag("attention_bias", false);
        var family = new LlamaFamily(configuration)
        {
            QueryKeyValueBias = bias,
            OutputBias = bias,
            Activation = Configurations.Activation(configuration, "gelu_pytorch_tanh", "hidden_activation", "hidden_act"),
            IsGainOffset = true,
            IsTiedByDefault = true,
            NormNames = ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"),
        };
        family.EmbeddingScale = MathF.Sqrt(family.Hidden);
        family.Scale = 1f / MathF.Sqrt((float)configuration.PositiveNumber(256, "query_pre_attn_scalar"));
        return family;
    }

    private static float? OptionalNumber(ModelConfiguration configuration, string key)
    {
        double value = configuration.PositiveNumber(0, key);
        return value > 0 ? (float)value : null;
    }
}
