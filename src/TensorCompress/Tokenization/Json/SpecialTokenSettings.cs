using TensorCompress.Storage;

namespace TensorCompress.Tokenization.Json;

/// <summary>Which tokens begin and end a text, by id or by text, as configuration files name them.</summary>
internal sealed record SpecialTokenSettings
{
    public int? BeginId { get; init; }

    public IReadOnlyList<int> EndIds { get; init; } = [];

    public string? BeginToken { get; init; }

    public string? EndToken { get; init; }

    /// <summary>File that named the ids, for messages; null where a caller did.</summary>
    public string? FileName { get; init; }

    public static SpecialTokenSettings Of(SpecialTokenIds ids) => new() { BeginId = ids.BeginOfText, EndIds = ids.EndOfText };

    /// <summary>Finds the ids in a vocabulary. A text that is not in it counts as not given.</summary>
    public SpecialTokenIds Resolve(IReadOnlyList<string?> tokens)
    {
        int? begin = BeginId ?? Find(tokens, BeginToken);
        // Chat models often name the end of a turn only in one of the places, so that all count.
        IEnumerable<int> ends = Find(tokens, EndToken) is int end ? EndIds.Append(end) : EndIds;
        var ids = new SpecialTokenIds(begin, ends);
        if (FileName is not null && ids.EndOfText.Concat(begin is int id ? [id] : []).FirstOrDefault(id => id >= tokens.Count, -1) is int outside and >= 0)
            throw new TensorFormatException(TensorFormatError.Inconsistent, $"The special id {outside} is not in the vocabulary of {tokens.Count} tokens.", FileName);
        return ids;
    }

    private static int? Find(IReadOnlyList<string?> tokens, string? text)
    {
        for (int id = 0; text is not null && id < tokens.Count; id++)
        {
            if (tokens[id] == text) return id;
        }

        return null;
    }
}
