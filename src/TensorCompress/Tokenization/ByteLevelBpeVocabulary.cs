namespace TensorCompress.Tokenization;

/// <summary>A merge of two tokens into a third; its rank is its place in the list.</summary>
/// <param name="Left">Id of the left part.</param>
/// <param name="Right">Id of the right part.</param>
/// <param name="Result">Id of the token whose text is both.</param>
public readonly record struct BpeMerge(int Left, int Right, int Result);

/// <summary>What a byte-level byte-pair tokenizer is made of: plain data, from whatever file.</summary>
public sealed record ByteLevelBpeVocabulary
{
    /// <summary>Text of each id in the byte alphabet of GPT-2 (a blank is <c>Ġ</c>); null where the id is not used.</summary>
    public required IReadOnlyList<string?> Tokens { get; init; }

    /// <summary>The merges, best rank first. Of a repeated pair the first counts.</summary>
    public required IReadOnlyList<BpeMerge> Merges { get; init; }

    /// <summary>How texts are cut into words.</summary>
    public required PreTokenizer PreTokenizer { get; init; }

    /// <summary>Tokens that are looked for in the text itself; leftmost first, then longest.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>Ids put before each text where <see cref="EncodeOptions.AddSpecialTokens"/> says so.</summary>
    public IReadOnlyList<int> PrefixIds { get; init; } = [];

    /// <summary>Ids put after each text where <see cref="EncodeOptions.AddSpecialTokens"/> says so.</summary>
    public IReadOnlyList<int> SuffixIds { get; init; } = [];

    /// <summary>Whether a word that is a token is taken as it is, even where the merges would not lead to it.</summary>
    public bool IgnoreMerges { get; init; }
}
