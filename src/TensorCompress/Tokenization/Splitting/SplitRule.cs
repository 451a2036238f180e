using System.Text.Json;

namespace TensorCompress.Tokenization.Splitting;

/// <summary>One stage of a pre-tokenizer: cuts a part of the text into smaller parts, none of them empty, that joined give the part again. Equal rules cut equally.</summary>
internal abstract record SplitRule
{
    /// <summary>Where the piece ends that begins at <paramref name="start"/>; all pieces of a part take time linear in its length.</summary>
    /// <param name="part">The whole part, so that a rule can look ahead, but never beyond it.</param>
    /// <param name="start">Less than the length of the part.</param>
    public abstract int NextEnd(ReadOnlySpan<char> part, int start);

    /// <summary>Writes the stage as a pre-tokenizer object of a Hugging Face tokenizer.json.</summary>
    public abstract void WriteJson(Utf8JsonWriter json);
}
