using TensorCompress.Tokenization.Decoders;
using TensorCompress.Tokenization.Normalizers;
using TensorCompress.Tokenization.Splitting;
using TensorCompress.Tokenization.Words;

namespace TensorCompress.Tokenization;

/// <summary>What a <see cref="SubwordTokenizer"/> is made of.</summary>
internal sealed record SubwordParts
{
    /// <summary>Text of each id, added tokens included; null where the id is not used.</summary>
    public required IReadOnlyList<string?> Tokens { get; init; }

    public required WordModel Model { get; init; }

    public TextNormalizer[] Normalizers { get; init; } = [];

    public PreTokenizerStage[] Stages { get; init; } = [];

    public TokenDecoder[] Decoders { get; init; } = [new BlankDecoder()];

    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    public int[] PrefixIds { get; init; } = [];

    public int[] SuffixIds { get; init; } = [];

    public SpecialTokenIds SpecialIds { get; init; } = SpecialTokenIds.None;

    /// <summary>The parts of a byte-level vocabulary.</summary>
    /// <exception cref="ArgumentException">An id leaves the vocabulary, or an added token is empty.</exception>
    public static SubwordParts OfByteLevelBpe(ByteLevelBpeVocabulary vocabulary, SpecialTokenIds specialIds)
    {
        CheckIds(vocabulary);
        specialIds.ThrowIfOutside(vocabulary.Tokens.Count);
        var tokens = new TokenTable(vocabulary.Tokens);
        HashSet<int> special = [.. vocabulary.AddedTokens.Where(token => token.IsSpecial).Select(token => token.Id)];
        var options = new BpeOptions { IgnoresMerges = vocabulary.IgnoreMerges, IsByteLevel = vocabulary.PreTokenizer.EndsAsBytes };
        return new SubwordParts
        {
            Tokens = [.. vocabulary.Tokens],
            Model = new BpeModel(tokens, vocabulary.Merges, options, special.Contains),
            Normalizers = vocabulary.PreTokenizer.Normalizers,
            Stages = vocabulary.PreTokenizer.Stages,
            Decoders = [new ByteLevelDecoder()],
            AddedTokens = [.. vocabulary.AddedTokens],
            PrefixIds = [.. vocabulary.PrefixIds],
            SuffixIds = [.. vocabulary.SuffixIds],
            SpecialIds = specialIds,
        };
    }

    private static void CheckIds(ByteLevelBpeVocabulary vocabulary)
    {
        int count = vocabulary.Tokens.Count;
        IEnumerable<int> ids = vocabulary.Merges.SelectMany(merge => new[] { merge.Left, merge.Right, merge.Result })
            .Concat(vocabulary.AddedTokens.Select(token => token.Id)).Concat(vocabulary.PrefixIds).Concat(vocabulary.SuffixIds);
        foreach (int id in ids)
        {
            if ((uint)id >= (uint)count) throw new ArgumentException($"The id {id} is not in the vocabulary of {count} tokens.", nameof(vocabulary));
        }

        if (vocabulary.AddedTokens.Any(token => token.Content.Length == 0)) throw new ArgumentException("An added token is empty.", nameof(vocabulary));
    }
}
