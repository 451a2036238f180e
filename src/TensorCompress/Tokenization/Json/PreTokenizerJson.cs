using TensorCompress.Storage;
using TensorCompress.Tokenization.Expressions;
using TensorCompress.Tokenization.Splitting;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Json;

/// <summary>The <c>pre_tokenizer</c> of a tokenizer.json. A new kind is a stage in Splitting, or a split by some matcher, and one line here.</summary>
internal static class PreTokenizerJson
{
    // Of the expression that cuts without ByteLevel; GPT-2's own is cut by hand.
    private static readonly Lazy<Expression> Words = new(static () => new Expression(@"\w+|[^\w\s]+"));

    private static readonly Dictionary<string, Func<JsonProperties, IEnumerable<PreTokenizerStage>>> Readers = new(StringComparer.Ordinal)
    {
        ["ByteLevel"] = ReadByteLevel,
        ["Split"] = static properties => [new SplitStage(PatternJson.Read(properties, out _), Behavior(properties.Require("behavior")), properties.Flag("invert"))],
        ["Digits"] = static properties => [new SplitStage(new CharacterMatcher(CodePointSets.Number), properties.Flag("individual_digits") ? SplitBehavior.Isolated : SplitBehavior.Contiguous)],
        ["Punctuation"] = static properties =>
            [new SplitStage(new CharacterMatcher(CodePointSets.Punctuation), properties.Find("behavior") is JsonSource behavior ? Behavior(behavior) : SplitBehavior.Isolated)],
        ["Metaspace"] = ReadMetaspace,
        ["Whitespace"] = static _ => [new SplitStage(new ExpressionMatcher(Words.Value), SplitBehavior.Removed, isInverted: true)],
        ["WhitespaceSplit"] = static _ => [new SplitStage(new CharacterMatcher(CodePointSets.WhiteSpace), SplitBehavior.Removed)],
        ["BertPreTokenizer"] = static _ =>
        [
            new SplitStage(new CharacterMatcher(CodePointSets.WhiteSpace), SplitBehavior.Removed),
            new SplitStage(new CharacterMatcher(CodePointSets.Punctuation), SplitBehavior.Isolated),
        ],
        ["CharDelimiterSplit"] = static properties => [new SplitStage(new LiteralMatcher(properties.Require("delimiter").String()), SplitBehavior.Removed)],
        ["Sequence"] = static properties => properties.Require("pretokenizers").Items().SelectMany(Read),
    };

    public static IEnumerable<PreTokenizerStage> Read(JsonSource source)
    {
        JsonProperties properties = source.Properties();
        string type = properties.Type();
        return Readers.TryGetValue(type, out Func<JsonProperties, IEnumerable<PreTokenizerStage>>? read)
            ? read(properties)
            : throw properties.Unsupported($"The pre-tokenizer '{type}'", Readers.Keys);
    }

    private static IEnumerable<PreTokenizerStage> ReadByteLevel(JsonProperties properties)
    {
        if (properties.Flag("add_prefix_space", missing: true)) yield return new PrefixSpaceStage();
        if (properties.Flag("use_regex", missing: true)) yield return new Gpt2Split();
        yield return new ByteAlphabetStage();
    }

    private static IEnumerable<PreTokenizerStage> ReadMetaspace(JsonProperties properties) =>
        [new MetaspaceStage(MetaspaceJson.Mark(properties), MetaspaceJson.Scheme(properties), properties.Flag("split", missing: true))];

    private static SplitBehavior Behavior(JsonSource source)
    {
        string name = source.String();
        return Enum.TryParse(name, out SplitBehavior behavior) && behavior.ToString() == name
            ? behavior
            : throw source.Fault(TensorFormatError.Unsupported, $"The behavior '{name}' is not supported; supported are {string.Join(", ", Enum.GetNames<SplitBehavior>())}.");
    }
}
