namespace TensorCompress.Tokenization;

/// <summary>Ids that begin and end texts, as the model's configuration names them. Immutable.</summary>
public sealed class SpecialTokenIds
{
    /// <summary>Neither a beginning nor an end.</summary>
    public static SpecialTokenIds None { get; } = new(null);

    /// <summary>Names the ids.</summary>
    /// <param name="beginOfText">Id that begins a text, or null.</param>
    /// <param name="endOfText">Ids after which a text is complete, in any number; repeated ones count once.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is negative.</exception>
    public SpecialTokenIds(int? beginOfText, params IEnumerable<int> endOfText)
    {
        if (beginOfText is int id) ArgumentOutOfRangeException.ThrowIfNegative(id, nameof(beginOfText));
        BeginOfText = beginOfText;
        EndOfText = [.. endOfText.Distinct()];
        foreach (int end in EndOfText) ArgumentOutOfRangeException.ThrowIfNegative(end, nameof(endOfText));
    }

    /// <summary>Id that begins a text, or null.</summary>
    public int? BeginOfText { get; }

    /// <summary>Ids after which a generated text is complete.</summary>
    public IReadOnlyList<int> EndOfText { get; }

    internal void ThrowIfOutside(int vocabularySize)
    {
        foreach (int id in BeginOfText is int begin ? EndOfText.Append(begin) : EndOfText)
        {
            if (id >= vocabularySize) throw new ArgumentException($"The special id {id} is not in the vocabulary of {vocabularySize} tokens.");
        }
    }
}
