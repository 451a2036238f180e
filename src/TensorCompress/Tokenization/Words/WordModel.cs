namespace TensorCompress.Tokenization.Words;

/// <summary>A vocabulary with its way to cut words into tokens. Immutable.</summary>
internal abstract class WordModel
{
    /// <summary>What kind of model it is, for people.</summary>
    public abstract string Kind { get; }

    /// <summary>Appends the ids of a word.</summary>
    /// <param name="word">A well-formed text that is not empty.</param>
    /// <param name="run">What the ids go to.</param>
    public abstract void Encode(ReadOnlySpan<char> word, EncodingRun run);
}
