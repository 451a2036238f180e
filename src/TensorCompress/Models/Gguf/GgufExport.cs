using TensorCompress.Layers;
using TensorCompress.Storage.Gguf;

namespace TensorCompress.Models.Gguf;

/// <summary>The metadata of a model that is written as a GGUF file, and what else an architecture wants done to it.</summary>
/// <param name="definition">The model.</param>
/// <param name="architecture">Value of <c>general.architecture</c>.</param>
internal sealed class GgufExport(ModelDefinition definition, string architecture)
{
    /// <summary>The model.</summary>
    public ModelDefinition Definition { get; } = definition;

    /// <summary>Value of <c>general.architecture</c>.</summary>
    public string Architecture { get; } = architecture;

    /// <summary>Metadata so far.</summary>
    public GgufMetadataBuilder Metadata { get; } = new();

    /// <summary>Tensors that only GGUF files have.</summary>
    public List<(string Name, float[] Values)> ExtraTensors { get; } = [];

    /// <summary>Factors of tensors, by their checkpoint names: where GGUF readers take a multiplier for granted.</summary>
    public Dictionary<string, float> Factors { get; } = [];

    /// <summary>Whether a tied head is written a second time, because readers demand it.</summary>
    public bool RepeatsTiedHead { get; set; }

    /// <summary>What a user should know.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>Attention of the first block; all blocks have the same heads.</summary>
    public AttentionDefinition Attention => Definition.Blocks[0].Attention;

    public void Integer(string key, int value) => Metadata.Add(Key(key), checked((uint)value));

    public void Number(string key, double value) => Metadata.Add(Key(key), (float)value);

    public void Text(string key, string value) => Metadata.Add(Key(key), value);

    public void Flag(string key, bool value) => Metadata.Add(Key(key), value);

    public void Flags(string key, IEnumerable<bool> values) => Metadata.Add(Key(key), values);

    /// <summary>Writes the dimensions and the epsilon of the norms.</summary>
    public void Dimensions()
    {
        Integer("vocab_size", Definition.VocabularySize);
        Integer("context_length", Definition.ContextLength);
        Integer("embedding_length", Definition.HiddenSize);
        Integer("block_count", Definition.Blocks.Count);
        Integer("feed_forward_length", Definition.Blocks[0].FeedForward.Down.InputDimension);
        Integer("attention.head_count", Attention.HeadCount);
        Integer("attention.head_count_kv", Attention.KeyValueHeadCount);
        Integer("attention.key_length", Attention.HeadDimension);
        Integer("attention.value_length", Attention.HeadDimension);
        Number(Definition.FinalNorm.Kind == NormKind.Layer ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", Definition.FinalNorm.Epsilon);
    }

    /// <summary>Requires the one activation that readers compute.</summary>
    /// <exception cref="NotSupportedException">It is another one.</exception>
    public void RequireActivation(ActivationFunction function)
    {
        ActivationFunction own = Definition.Blocks[0].FeedForward.Activation;
        if (own != function) throw Refuse($"readers compute {function} for it, the model has {own}");
    }

    /// <summary>Says why a model cannot be written.</summary>
    public NotSupportedException Refuse(string reason) => new($"The model cannot be written as a GGUF file of {Architecture}: {reason}.");

    private string Key(string key) => $"{Architecture}.{key}";
}
