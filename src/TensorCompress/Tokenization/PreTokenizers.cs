using TensorCompress.Tokenization.Splitting;

namespace TensorCompress.Tokenization;

/// <summary>The pre-tokenizers that are known by name. One that is not here is refused: guessing would give other ids without a sign of it.</summary>
public static class PreTokenizers
{
    /// <summary>GPT-2: words with one leading blank, numbers, punctuation, contractions.</summary>
    public static PreTokenizer Gpt2 { get; } = new("gpt-2", new Gpt2Split());

    /// <summary>SmolLM and StarCoder: every digit alone, then as GPT-2.</summary>
    public static PreTokenizer SmolLm { get; } = new("smollm", new DigitSplit(IndividualDigits: true), new Gpt2Split());

    private static readonly Dictionary<string, PreTokenizer> ByName = new(StringComparer.Ordinal)
    {
        ["gpt-2"] = Gpt2,
        ["gpt2"] = Gpt2,
        ["smollm"] = SmolLm,
        ["starcoder"] = SmolLm,
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

    internal static PreTokenizer FromStages(IReadOnlyList<SplitRule> stages) =>
        ByName.Values.FirstOrDefault(known => known.Stages.SequenceEqual(stages)) ?? new PreTokenizer("custom", [.. stages]);
}
