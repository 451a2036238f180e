using System.Text.Encodings.Web;
using System.Text.Json;

namespace TensorCompress.Tokenization;

/// <summary>The pre-tokenizers that are known by name. One that is not here is refused: guessing would give other ids without a sign of it.</summary>
public static class PreTokenizers
{
    // The expressions of published tokenizers, as their authors wrote them.
    private const string Llama3Expression = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Qwen2Expression = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Qwen35Expression = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    private const string Lead = @"[^\r\n\p{L}\p{N}]?";
    private const string Contraction = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
    private const string Gpt4oExpression =
        Lead + Upper + "*" + Lower + "+" + Contraction + "|" + Lead + Upper + "+" + Lower + "*" + Contraction + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string TekkenExpression =
        Lead + Upper + "*" + Lower + "+|" + Lead + Upper + "+" + Lower + @"*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string UpperNotHan = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]";
    private const string LowerNotHan = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]";
    private const string KimiExpression = @"[\p{Han}]+|" + Lead + UpperNotHan + "*" + LowerNotHan + "+" + Contraction + "|" + Lead + UpperNotHan + "+" + LowerNotHan + "*" + Contraction
        + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string DeepSeekPunctuation = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+";
    private const string DeepSeekExpression = DeepSeekPunctuation + "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";
    private const string DeepSeekLetters =
        "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";
    private const string DeepSeekIdeographs = "[一-龥ࠀ-一가-퟿]+";
    private const string BloomExpression = @" ?[^(\s|[.,!?…。，、।۔،])]+";
    private const string BailingExpression = @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
    private const string SeedExpression = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";

    private const string Nfc = """{"type":"NFC"}""";
    private const string Digits = """{"type":"Digits","individual_digits":true}""";
    private const string DigitRuns = """{"type":"Digits","individual_digits":false}""";
    private const string Gpt2Bytes = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""";
    private const string PlainBytes = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""";

    /// <summary>GPT-2: words with one leading blank, numbers, punctuation, contractions.</summary>
    public static PreTokenizer Gpt2 { get; } = new("gpt-2", Gpt2Bytes);

    /// <summary>SmolLM and StarCoder: every digit alone, then as GPT-2.</summary>
    public static PreTokenizer SmolLm { get; } = new("smollm", Sequence(Digits, Gpt2Bytes));

    private static readonly PreTokenizer Llama3 = new("llama-bpe", Sequence(Split(Llama3Expression), PlainBytes), ignoresMerges: true, addsBegin: true);
    private static readonly PreTokenizer Cl100k = new("dbrx", Sequence(Split(Llama3Expression), PlainBytes));
    private static readonly PreTokenizer Qwen2 = new("qwen2", Sequence(Split(Qwen2Expression), PlainBytes), Nfc);
    private static readonly PreTokenizer Qwen2WithoutNfc = new("stablelm2", Sequence(Split(Qwen2Expression), PlainBytes));
    private static readonly PreTokenizer Gpt4o = new("gpt-4o", Sequence(Split(Gpt4oExpression), PlainBytes));
    private static readonly PreTokenizer DeepSeek3 = new("deepseek-v3", Sequence(Split(@"\p{N}{1,3}"), Split("[一-龥぀-ゟ゠-ヿ]+"), Split(DeepSeekExpression), PlainBytes));
    private static readonly PreTokenizer Bloom = new("bloom", Sequence(Split(BloomExpression), PlainBytes));
    private static readonly PreTokenizer Bailing = new("bailingmoe", Sequence(Split(BailingExpression), PlainBytes));

    private static readonly Dictionary<string, PreTokenizer> ByName = new(StringComparer.Ordinal)
    {
        ["gpt-2"] = Gpt2,
        ["gpt2"] = Gpt2,
        ["phi-2"] = Gpt2,
        ["mpt"] = Gpt2,
        ["olmo"] = Gpt2,
        ["jais"] = Gpt2,
        ["gigachat"] = Gpt2,
        ["trillion"] = Gpt2,
        ["smollm"] = SmolLm,
        ["starcoder"] = SmolLm,
        ["refact"] = SmolLm,
        ["command-r"] = SmolLm,
        ["codeshell"] = SmolLm,
        ["exaone"] = SmolLm,
        ["minerva-7b"] = SmolLm,
        ["llama-bpe"] = Llama3,
        ["llama3"] = Llama3,
        ["llama-v3"] = Llama3,
        ["falcon3"] = Llama3,
        ["pixtral"] = Llama3,
        ["lfm2"] = Llama3,
        ["dbrx"] = Cl100k,
        ["smaug-bpe"] = Cl100k,
        ["chatglm-bpe"] = Cl100k,
        ["glm4"] = Cl100k,
        ["qwen2"] = Qwen2,
        ["qwen35"] = new("qwen35", Sequence(Split(Qwen35Expression), PlainBytes), Nfc),
        ["deepseek-r1-qwen"] = Qwen2WithoutNfc,
        ["stablelm2"] = Qwen2WithoutNfc,
        ["hunyuan"] = Qwen2WithoutNfc,
        ["megrez"] = Qwen2WithoutNfc,
        ["grok-2"] = Qwen2WithoutNfc,
        ["gpt-4o"] = Gpt4o,
        ["llama4"] = Gpt4o,
        ["tekken"] = new("tekken", Sequence(Split(TekkenExpression), PlainBytes), ignoresMerges: true, addsBegin: true),
        ["kimi-k2"] = new("kimi-k2", Sequence(Split(KimiExpression), PlainBytes), ignoresMerges: true),
        ["deepseek-v3"] = DeepSeek3,
        ["hunyuan-dense"] = DeepSeek3,
        ["deepseek-llm"] = new("deepseek-llm", Sequence(
            Split("[\r\n]"), Split(DeepSeekLetters), Split("\\s?[!-/:-~！-／：-～‘-‟　-。]+"), Split(@"\s+$"), Split(DeepSeekIdeographs), Digits, PlainBytes)),
        ["deepseek-coder"] = new("deepseek-coder", Sequence(Split("[\r\n]"), Split(@"\s?\p{L}+"), Split(@"\s?\p{P}+"), Split(DeepSeekIdeographs), Digits, PlainBytes)),
        ["falcon"] = new("falcon", Sequence("""{"type":"Punctuation","behavior":"Contiguous"}""", Gpt2Bytes, DigitRuns, Split("[0-9][0-9][0-9]"))),
        ["bloom"] = Bloom,
        ["poro-chat"] = Bloom,
        ["gpt3-finnish"] = Bloom,
        ["viking"] = new("viking", Sequence(Split(BloomExpression), Digits, PlainBytes)),
        ["bailingmoe"] = Bailing,
        ["llada-moe"] = Bailing,
        ["seed-coder"] = new("seed-coder", Sequence(Split(SeedExpression), PlainBytes)),
    };

    /// <summary>All names that <see cref="Get"/> knows, in alphabetical order.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. ByName.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The pre-tokenizer of a name, or null.</summary>
    /// <param name="name">As in <c>tokenizer.ggml.pre</c> of a GGUF file.</param>
    public static PreTokenizer? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>The pre-tokenizer of a name.</summary>
    /// <param name="name">As in <c>tokenizer.ggml.pre</c> of a GGUF file.</param>
    /// <exception cref="NotSupportedException">The name is not known; the message lists those that are.</exception>
    public static PreTokenizer Get(string name) =>
        Find(name) ?? throw new NotSupportedException($"The pre-tokenizer '{name}' is not supported; supported are {string.Join(", ", Names)}.");

    private static string Sequence(params ReadOnlySpan<string> steps) => $$"""{"type":"Sequence","pretokenizers":[{{string.Join(',', steps)}}]}""";

    private static string Split(string expression) =>
        $$$"""{"type":"Split","pattern":{"Regex":"{{{JsonEncodedText.Encode(expression, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}}}"},"behavior":"Isolated","invert":false}""";
}
