using TensorCompress.Storage;
using TensorCompress.Tokenization.Json;

namespace TensorCompress.Tokenization;

/// <summary>Makes tokenizers from the metadata of model files.</summary>
public static class TokenizerFactory
{
    private const int UnknownType = 2;
    private const int ControlType = 3;
    private const int UserDefinedType = 4;

    // The kinds of model; a new one is a line here.
    private static readonly Dictionary<string, Func<GgufVocabulary, string?, SpecialTokenIds?, Tokenizer>> GgufModels = new(StringComparer.Ordinal)
    {
        ["gpt2"] = FromGpt2,
    };

    /// <summary>Makes the tokenizer of a GGUF file.</summary>
    /// <param name="vocabulary">The file's metadata.</param>
    /// <param name="fileName">Name for messages, or null.</param>
    /// <param name="specialIds">Other ids that begin and end a text than the file names, or null.</param>
    /// <exception cref="ArgumentException">An id of <paramref name="specialIds"/> is not in the vocabulary.</exception>
    /// <exception cref="TensorFormatException">The metadata contradict each other, or the tokenizer is not supported.</exception>
    public static Tokenizer FromGguf(GgufVocabulary vocabulary, string? fileName = null, SpecialTokenIds? specialIds = null)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        if (!GgufModels.TryGetValue(vocabulary.Model, out Func<GgufVocabulary, string?, SpecialTokenIds?, Tokenizer>? make))
            throw new TensorFormatException(TensorFormatError.Unsupported, $"The tokenizer model '{vocabulary.Model}' is not supported; supported are {string.Join(", ", GgufModels.Keys)}.", fileName);
        CheckIds(vocabulary, fileName);
        return make(vocabulary, fileName, specialIds);
    }

    private static ByteLevelBpeTokenizer FromGpt2(GgufVocabulary vocabulary, string? fileName, SpecialTokenIds? specialIds)
    {
        PreTokenizer preTokenizer = PreTokenizers.Find(vocabulary.Pre ?? "") ?? throw new TensorFormatException(
            TensorFormatError.Unsupported, $"The pre-tokenizer '{vocabulary.Pre}' is not supported; supported are {string.Join(", ", PreTokenizers.Names)}.", fileName);
        if (vocabulary.AddSpacePrefix == true) throw new TensorFormatException(TensorFormatError.Unsupported, "Byte-level BPE with add_space_prefix is not supported.", fileName);
        var reader = new BpeVocabularyReader(fileName);
        for (int id = 0; id < vocabulary.Tokens.Count; id++) reader.AddToken(vocabulary.Tokens[id], id);
        foreach (string merge in vocabulary.Merges ?? throw new TensorFormatException(TensorFormatError.Structure, "Byte-level BPE needs tokenizer.ggml.merges.", fileName)) reader.AddMerge(merge);
        return new ByteLevelBpeTokenizer(
            new ByteLevelBpeVocabulary
            {
                Tokens = reader.TokensById(),
                Merges = reader.Merges,
                PreTokenizer = preTokenizer,
                AddedTokens = [.. AddedTokens(vocabulary, fileName)],
                PrefixIds = vocabulary.AddBosToken == true ? [RequireId(vocabulary.BosTokenId, "add_bos_token", fileName)] : [],
                SuffixIds = vocabulary.AddEosToken == true ? [RequireId(vocabulary.EosTokenId, "add_eos_token", fileName)] : [],
            },
            specialIds ?? SpecialIdsOf(vocabulary));
    }

    private static SpecialTokenIds SpecialIdsOf(GgufVocabulary vocabulary) =>
        new(vocabulary.BosTokenId, new[] { vocabulary.EosTokenId, vocabulary.EotTokenId }.OfType<int>());

    internal static IEnumerable<AddedToken> AddedTokens(GgufVocabulary vocabulary, string? fileName)
    {
        for (int id = 0; id < (vocabulary.TokenTypes?.Count ?? 0); id++)
        {
            int type = vocabulary.TokenTypes![id];
            if (type is not (UnknownType or ControlType or UserDefinedType)) continue;
            if (vocabulary.Tokens[id].Length == 0) throw new TensorFormatException(TensorFormatError.Value, $"The control token {id} is empty.", fileName);
            yield return new AddedToken(id, vocabulary.Tokens[id], IsSpecial: type != UserDefinedType);
        }
    }

    internal static void CheckIds(GgufVocabulary vocabulary, string? fileName)
    {
        int count = vocabulary.Tokens.Count;
        if (vocabulary.TokenTypes is not null && vocabulary.TokenTypes.Count != count)
            throw new TensorFormatException(TensorFormatError.Inconsistent, $"There are {count} tokens, but {vocabulary.TokenTypes.Count} token types.", fileName);
        int?[] named = [vocabulary.BosTokenId, vocabulary.EosTokenId, vocabulary.EotTokenId, vocabulary.UnknownTokenId, vocabulary.PaddingTokenId];
        foreach (int id in named.OfType<int>())
        {
            if ((uint)id >= (uint)count) throw new TensorFormatException(TensorFormatError.Inconsistent, $"The special id {id} is not in the vocabulary of {count} tokens.", fileName);
        }
    }

    private static int RequireId(int? id, string flag, string? fileName) =>
        id ?? throw new TensorFormatException(TensorFormatError.Inconsistent, $"tokenizer.ggml.{flag} is set, but the id is not given.", fileName);
}
