using TensorCompress.Tokenization;

namespace TensorCompress.Evaluation;

/// <summary>Cuts a text into the token windows that a model is measured on.</summary>
public static class EvaluationWindows
{
    /// <summary>The window length where none is asked for, if the model's context allows it.</summary>
    public const int DefaultContext = 512;

    /// <summary>
    /// Tokenises the text as one string (special-token texts parsed, no BOS or EOS added) and cuts it into consecutive windows of <paramref name="context"/> tokens;
    /// a last shorter one is dropped.
    /// </summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="text">The whole text.</param>
    /// <param name="context">Tokens of a window, 2 or more.</param>
    /// <param name="maxTokens">Window tokens at most (whole windows), or null for all.</param>
    /// <exception cref="ArgumentException">The text has less than one window.</exception>
    public static IReadOnlyList<int[]> FromText(Tokenizer tokenizer, string text, int context, int? maxTokens = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(context, 2);
        int[] ids = tokenizer.Encode(text, new EncodeOptions(ParseSpecialTokens: true, AddSpecialTokens: false));
        int count = Math.Min(ids.Length, maxTokens ?? int.MaxValue) / context;
        if (count == 0) throw new ArgumentException($"The text has {ids.Length} tokens{(maxTokens < ids.Length ? $", of which {maxTokens} are asked for" : "")}; one window takes {context}.", nameof(text));
        return [.. Enumerable.Range(0, count).Select(window => ids[(window * context)..((window + 1) * context)])];
    }

    /// <summary>Makes each document (trimmed, empty ones left out) a window of its own: BOS where the tokenizer has one, then its tokens, cut at the context.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="text">The whole text.</param>
    /// <param name="separator">Text between documents.</param>
    /// <param name="context">Tokens of a window at most, 2 or more.</param>
    /// <param name="skip">Documents to leave out at the beginning.</param>
    /// <param name="maxDocuments">Documents at most, or null for all.</param>
    /// <exception cref="ArgumentException">No document is left that has two tokens.</exception>
    public static IReadOnlyList<int[]> FromDocuments(Tokenizer tokenizer, string text, string separator, int context, int skip = 0, int? maxDocuments = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentException.ThrowIfNullOrEmpty(separator);
        ArgumentOutOfRangeException.ThrowIfLessThan(context, 2);
        ArgumentOutOfRangeException.ThrowIfNegative(skip);
        var windows = new List<int[]>();
        foreach (string document in text.Split(separator, StringSplitOptions.TrimEntries).Skip(skip).Where(document => document.Length > 0).Take(maxDocuments ?? int.MaxValue))
        {
            var ids = new List<int>();
            if (tokenizer.BeginOfTextId is { } begin) ids.Add(begin);
            tokenizer.Encode(document, ids, new EncodeOptions(ParseSpecialTokens: true, AddSpecialTokens: false));
            if (ids.Count > context) ids.RemoveRange(context, ids.Count - context);
            if (ids.Count >= 2) windows.Add([.. ids]);
        }

        return windows.Count > 0 ? windows : throw new ArgumentException("No document with two tokens is left to measure on.", nameof(text));
    }
}
