namespace TensorCompress.Tokenization.Splitting;

/// <summary>One step of a pre-tokenizer: gives every piece of a part, changed where it changes texts, to the next step. Its time is linear in the length of the part.</summary>
internal abstract class PreTokenizerStage
{
    /// <summary>Cuts a part.</summary>
    /// <param name="part">Not empty.</param>
    /// <param name="isFirst">Whether the part begins where the whole text begins.</param>
    /// <param name="run">What the pieces go to.</param>
    /// <param name="depth">The place of this step.</param>
    public abstract void Cut(ReadOnlySpan<char> part, bool isFirst, EncodingRun run, int depth);
}
