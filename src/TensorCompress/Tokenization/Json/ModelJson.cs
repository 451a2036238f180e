using TensorCompress.Storage;
using TensorCompress.Tokenization.Merging;
using TensorCompress.Tokenization.Words;

namespace TensorCompress.Tokenization.Json;

/// <summary>The <c>model</c> of a tokenizer.json. A new kind is a class in Words and one line here.</summary>
internal static class ModelJson
{
    private delegate WordModel Finish(TokenTable tokens, ModelContext context);

    // Reads tokens into the vocabulary and says how the model is made when the added tokens are known too.
    private static readonly Dictionary<string, Func<JsonProperties, VocabularyReader, Finish>> Readers = new(StringComparer.Ordinal)
    {
        ["BPE"] = ReadBpe,
        ["Unigram"] = ReadUnigram,
        ["WordPiece"] = ReadWordPiece,
        ["WordLevel"] = ReadWordLevel,
    };

    /// <summary>Reads the tokens of a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="vocabulary">Gets the tokens.</param>
    /// <returns>Makes the model when all tokens are known.</returns>
    public static Func<TokenTable, ModelContext, WordModel> Read(JsonProperties model, VocabularyReader vocabulary)
    {
        // Very old files have no type.
        string type = model.Find("type")?.String() ?? (model.Find("merges") is not null ? "BPE" : model.Find("unk_id") is not null ? "Unigram" : "without type");
        if (!Readers.TryGetValue(type, out Func<JsonProperties, VocabularyReader, Finish>? read)) throw model.Unsupported($"The tokenizer model '{type}'", Readers.Keys);
        return new Func<TokenTable, ModelContext, WordModel>(read(model, vocabulary));
    }

    private static Finish ReadBpe(JsonProperties model, VocabularyReader vocabulary)
    {
        if (model.Find("dropout") is JsonSource dropout && dropout.Number() != 0) throw dropout.Fault(TensorFormatError.Unsupported, "BPE with dropout is not supported.");
        string prefix = model.Find("continuing_subword_prefix")?.String() ?? "";
        vocabulary.ReadTokens(model.Require("vocab"));
        vocabulary.ReadMerges(model.Require("merges"), prefix);
        return (tokens, context) =>
        {
            var options = new BpeOptions
            {
                FusesUnknown = model.Flag("fuse_unk"),
                FallsBackToBytes = model.Flag("byte_fallback"),
                IgnoresMerges = model.Flag("ignore_merges"),
                ContinuingPrefix = prefix,
                EndSuffix = model.Find("end_of_word_suffix")?.String() ?? "",
            };
            bool hasAllBytes = Enumerable.Range(0, 256).All(value => tokens.Find([ByteAlphabet.Character((byte)value)]) >= 0);
            int unknownId = model.Find("unk_token")?.String() is string unknown ? tokens.Find(unknown) : -1;
            if (unknownId < 0 && model.Find("unk_token") is JsonSource source && !hasAllBytes) throw source.Fault(TensorFormatError.Inconsistent, $"The unknown token '{source.String()}' is not in the vocabulary.");
            bool needsTexts = options.ContinuingPrefix.Length + options.EndSuffix.Length > 0 || (!hasAllBytes && (unknownId >= 0 || options.FallsBackToBytes));
            bool isByteLevel = context.EndsAsBytes && !needsTexts;
            context.TakesBytes = isByteLevel;
            return new BpeModel(tokens, vocabulary.Merges, options with { UnknownId = unknownId, IsByteLevel = isByteLevel }, context.IsSpecial);
        };
    }

    private static Finish ReadUnigram(JsonProperties model, VocabularyReader vocabulary)
    {
        double[] scores = vocabulary.ReadScoredTokens(model.Require("vocab"));
        int unknownId = model.Find("unk_id") is JsonSource source ? source.Id() : -1;
        if (unknownId >= scores.Length) throw model.Source.Fault(TensorFormatError.Inconsistent, $"The unknown id {unknownId} is not in the vocabulary of {scores.Length} tokens.");
        return (tokens, _) => UnigramModel.OfTokenizerJson(tokens, scores, unknownId, model.Flag("byte_fallback"));
    }

    private static Finish ReadWordPiece(JsonProperties model, VocabularyReader vocabulary)
    {
        vocabulary.ReadTokens(model.Require("vocab"));
        string prefix = model.Find("continuing_subword_prefix")?.String() ?? "##";
        int maxCharacters = model.Find("max_input_chars_per_word")?.Id() ?? 100;
        return (tokens, _) => new WordPieceModel(tokens, UnknownId(model, tokens), prefix, maxCharacters);
    }

    private static Finish ReadWordLevel(JsonProperties model, VocabularyReader vocabulary)
    {
        vocabulary.ReadTokens(model.Require("vocab"));
        return (tokens, _) => new WordLevelModel(tokens, UnknownId(model, tokens));
    }

    private static int UnknownId(JsonProperties model, TokenTable tokens)
    {
        JsonSource source = model.Require("unk_token");
        return tokens.Find(source.String()) is int id and >= 0 ? id : throw source.Fault(TensorFormatError.Inconsistent, $"The unknown token '{source.String()}' is not in the vocabulary.");
    }

    /// <summary>What a model must know of the rest.</summary>
    internal sealed class ModelContext(bool endsAsBytes, Func<int, bool> isSpecial)
    {
        /// <summary>Whether the last step of the pre-tokenizer writes the byte alphabet.</summary>
        public bool EndsAsBytes { get; } = endsAsBytes;

        public Func<int, bool> IsSpecial { get; } = isSpecial;

        /// <summary>Whether the model writes the byte alphabet itself, so that the step is not needed.</summary>
        public bool TakesBytes { get; set; }
    }
}
