using TensorCompress.Tokenization.Splitting;

namespace TensorCompress.Tokenization;

/// <summary>Cuts a text into words; merges never cross their borders. One of <see cref="PreTokenizers"/>, or what a tokenizer.json describes.</summary>
public sealed class PreTokenizer
{
    internal PreTokenizer(string name, params SplitRule[] stages)
    {
        Name = name;
        Stages = stages;
    }

    /// <summary>Its name in GGUF files (<c>tokenizer.ggml.pre</c>), or <c>custom</c> where it has none.</summary>
    public string Name { get; }

    /// <summary>Each stage cuts the pieces of the stage before.</summary>
    internal SplitRule[] Stages { get; }
}
