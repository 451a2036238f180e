using TensorCompress.Storage;
using TensorCompress.Tokenization.Json;
using TensorCompress.Tokenization.SentencePiece;

namespace TensorCompress.Tokenization;

/// <summary>Makes tokenizers from the metadata of model files.</summary>
public static class TokenizerFactory
{
    private const string ByteLevelBpe = "gpt2";
    private const string ScoredBpe = "llama";
    private const string Unigram = "t5";

    // The kinds of model; a new one is a line here.
    private static readonly Dictionary<string, Func<GgufVocabulary, string?, SpecialTokenIds?, Tokenizer>> GgufModels = new(StringComparer.Ordinal)
    {
        [ByteLevelBpe] = FromGpt2,
        [ScoredBpe] = FromSentencePiece,
        [Unigram] = FromSentencePiece,
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

    private static SubwordTokenizer FromGpt2(GgufVocabulary vocabulary, string? fileName, SpecialTokenIds? specialIds) =>
        SubwordTokenizer.FromByteLevelBpe(ByteLevelBpeOf(vocabulary, fileName), specialIds ?? SpecialIdsOf(vocabulary));

    /// <summary>The vocabulary of a GGUF file of byte-level byte-pair encoding.</summary>
    /// <exception cref="NotSupportedException">It is of another kind.</exception>
    /// <exception cref="TensorFormatException">The metadata contradict each other, or the pre-tokenizer is not supported.</exception>
    internal static ByteLevelBpeVocabulary ByteLevelBpeOf(GgufVocabulary vocabulary, string? fileName)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        if (vocabulary.Model != ByteLevelBpe) throw new NotSupportedException($"A '{vocabulary.Model}' vocabulary has no byte-level BPE.");
        CheckIds(vocabulary, fileName);
        PreTokenizer preTokenizer = PreTokenizers.Find(vocabulary.Pre ?? "") ?? throw new TensorFormatException(
            TensorFormatError.Unsupported, $"The pre-tokenizer '{vocabulary.Pre}' is not supported; supported are {string.Join(", ", PreTokenizers.Names)}.", fileName);
        if (vocabulary.AddSpacePrefix == true) throw new TensorFormatException(TensorFormatError.Unsupported, "Byte-level BPE with add_space_prefix is not supported.", fileName);
        var reader = new VocabularyReader(fileName);
        for (int id = 0; id < vocabulary.Tokens.Count; id++) reader.AddToken(vocabulary.Tokens[id], id);
        foreach (string merge in vocabulary.Merges ?? throw new TensorFormatException(TensorFormatError.Structure, "Byte-level BPE needs tokenizer.ggml.merges.", fileName)) reader.AddMerge(merge);
        return new ByteLevelBpeVocabulary
        {
            Tokens = reader.TokensById(),
            Merges = reader.Merges,
            PreTokenizer = preTokenizer,
            AddedTokens = [.. AddedTokens(vocabulary, fileName)],
            PrefixIds = vocabulary.AddBosToken ?? (preTokenizer.AddsBegin && vocabulary.BosTokenId is not null) ? [RequireId(vocabulary.BosTokenId, "add_bos_token", fileName)] : [],
            SuffixIds = vocabulary.AddEosToken == true ? [RequireId(vocabulary.EosTokenId, "add_eos_token", fileName)] : [],
            IgnoreMerges = preTokenizer.IgnoresMerges,
        };
    }

    /// <summary>Name of the file that a Hugging Face folder has of the vocabulary: <c>tokenizer.json</c>, or <c>tokenizer.model</c> for SentencePiece.</summary>
    /// <param name="vocabulary">Metadata of a GGUF file.</param>
    public static string FileNameOf(GgufVocabulary vocabulary)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        return vocabulary.Model is ScoredBpe or Unigram ? "tokenizer.model" : "tokenizer.json";
    }

    /// <summary>Writes that file. The same vocabulary gives the same bytes.</summary>
    /// <param name="vocabulary">Metadata of a GGUF file.</param>
    /// <exception cref="TensorFormatException">The metadata contradict each other, or the tokenizer is not supported.</exception>
    public static byte[] Write(GgufVocabulary vocabulary) =>
        FromGguf(vocabulary) is SentencePieceTokenizer model ? SentencePieceFile.Write(model.Vocabulary) : TokenizerJson.Write(vocabulary);

    private static SentencePieceTokenizer FromSentencePiece(GgufVocabulary vocabulary, string? fileName, SpecialTokenIds? specialIds)
    {
        bool isBytePair = vocabulary.Model == ScoredBpe;
        Piece[] pieces = PiecesOf(vocabulary, fileName);
        return new SentencePieceTokenizer(
            new SentencePieceVocabulary
            {
                Pieces = pieces,
                IsBytePair = isBytePair,
                FallsBackToBytes = pieces.Any(piece => piece.Type == PieceType.Byte),
                CharacterMap = isBytePair ? [] : vocabulary.CharacterMap?.ToArray() ?? [],
                AddsDummyPrefix = vocabulary.AddSpacePrefix ?? true,
                RemovesExtraWhitespace = !isBytePair && (vocabulary.RemoveExtraWhitespaces ?? false),
                BeginId = vocabulary.BosTokenId,
                EndId = vocabulary.EosTokenId,
                AddsBegin = vocabulary.AddBosToken ?? isBytePair,
                AddsEnd = vocabulary.AddEosToken ?? !isBytePair,
                // User-defined pieces are the model's own business.
                AddedTokens = [.. AddedTokens(vocabulary, fileName).Where(token => token.IsSpecial)],
                SpecialIds = specialIds ?? SpecialIdsOf(vocabulary),
            },
            fileName);
    }

    private static Piece[] PiecesOf(GgufVocabulary vocabulary, string? fileName)
    {
        IReadOnlyList<float> scores = vocabulary.Scores ?? throw new TensorFormatException(TensorFormatError.Structure, $"A '{vocabulary.Model}' vocabulary needs tokenizer.ggml.scores.", fileName);
        if (scores.Count != vocabulary.Tokens.Count) throw new TensorFormatException(TensorFormatError.Inconsistent, $"There are {vocabulary.Tokens.Count} tokens, but {scores.Count} scores.", fileName);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var pieces = new Piece[scores.Count];
        for (int id = 0; id < pieces.Length; id++)
        {
            int type = vocabulary.TokenTypes?[id] ?? (int)PieceType.Normal;
            if (!Enum.IsDefined((PieceType)type)) throw new TensorFormatException(TensorFormatError.Type, $"The type {type} of token {id} is not known.", fileName);
            if (!float.IsFinite(scores[id])) throw new TensorFormatException(TensorFormatError.Value, $"The score {scores[id]} of token {id} cannot be compared.", fileName);
            // Some files mark everything as unknown that is no part of texts, and the unknown token as something else.
            if (id == vocabulary.UnknownTokenId) type = (int)PieceType.Unknown;
            else if ((PieceType)type == PieceType.Unknown && vocabulary.UnknownTokenId is not null) type = (int)PieceType.Control;
            string text = vocabulary.Tokens[id];
            if ((PieceType)type == PieceType.Normal && !seen.Add(text)) throw new TensorFormatException(TensorFormatError.Duplicate, $"The token '{text}' stands twice.", fileName);
            // Here blanks of user-defined tokens are not written as marks.
            pieces[id] = new Piece((PieceType)type == PieceType.UserDefined ? text.Replace(' ', '\u2581') : text, scores[id], (PieceType)type);
        }

        return pieces;
    }

    private static SpecialTokenIds SpecialIdsOf(GgufVocabulary vocabulary) =>
        new(vocabulary.BosTokenId, new[] { vocabulary.EosTokenId, vocabulary.EotTokenId }.OfType<int>());

    internal static IEnumerable<AddedToken> AddedTokens(GgufVocabulary vocabulary, string? fileName)
    {
        for (int id = 0; id < (vocabulary.TokenTypes?.Count ?? 0); id++)
        {
            int type = vocabulary.TokenTypes![id];
            if (type is not ((int)PieceType.Unknown or (int)PieceType.Control or (int)PieceType.UserDefined)) continue;
            if (vocabulary.Tokens[id].Length == 0) throw new TensorFormatException(TensorFormatError.Value, $"The control token {id} is empty.", fileName);
            yield return new AddedToken(id, vocabulary.Tokens[id], IsSpecial: type != (int)PieceType.UserDefined);
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
