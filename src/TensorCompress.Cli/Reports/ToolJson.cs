using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using TensorCompress.Inference;

namespace TensorCompress.Cli.Reports;

/// <summary>The JSON objects that <c>--json</c> prints: field names are the contract of the tool.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    Converters = [typeof(FiniteNumberConverter)])]
[JsonSerializable(typeof(CalibrationJson))]
[JsonSerializable(typeof(ChatJson))]
[JsonSerializable(typeof(CompressionJson))]
[JsonSerializable(typeof(ConversionJson))]
[JsonSerializable(typeof(CpuJson))]
[JsonSerializable(typeof(DemonstrationJson))]
[JsonSerializable(typeof(EvaluationJson))]
[JsonSerializable(typeof(GenerationJson))]
[JsonSerializable(typeof(InspectionJson))]
[JsonSerializable(typeof(LayerExplanationJson))]
[JsonSerializable(typeof(SpeedJson))]
[JsonSerializable(typeof(TokenizationJson))]
[JsonSerializable(typeof(TokenizationRequestJson))]
[JsonSerializable(typeof(VerificationJson))]
internal sealed partial class ToolJson : JsonSerializerContext
{
    /// <summary>The context for output: texts in plain UTF-8 instead of escapes, as it goes to a terminal or a program and not into a web page.</summary>
    public static ToolJson Output => field ??= new ToolJson(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

/// <summary>JSON has no infinity and no NaN: they become null.</summary>
internal sealed class FiniteNumberConverter : JsonConverter<double>
{
    public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDouble();

    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
    {
        if (double.IsFinite(value)) writer.WriteNumberValue(value);
        else writer.WriteNullValue();
    }
}

/// <summary><c>calibrate --json</c>.</summary>
internal sealed record CalibrationJson(int Layers, long Tokens, long Bytes);

/// <summary><c>compress --json</c>.</summary>
internal sealed record CompressionJson(IReadOnlyList<LayerJson> Layers, long StoredBytes, double Seconds, long PeakBytes);

/// <summary>One layer; the output error needs activations and is null without them.</summary>
internal sealed record LayerJson(string Name, string Method, long StoredBytes, double BitsPerWeight, double RelativeError, double? OutputError, double Seconds,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Choices);

/// <summary><c>inspect --layer --json</c>.</summary>
internal sealed record LayerExplanationJson(string Layer, IReadOnlyDictionary<string, string> Facts, IReadOnlyList<SpectrumJson> Spectra);

/// <summary>Numbers in descending order.</summary>
internal sealed record SpectrumJson(string Name, IReadOnlyList<double> Values);

/// <summary><c>convert --json</c>.</summary>
internal sealed record ConversionJson(string Output, string Type, long StoredBytes, double BitsPerWeight, double Seconds);

/// <summary><c>inspect --cpu --json</c>.</summary>
internal sealed record CpuJson(
    string Name, string Architecture, int LogicalCores, string VectorWidth, string HardwareVectorWidth, IReadOnlyDictionary<string, bool> InstructionSets,
    IReadOnlyList<CacheJson> Caches, IReadOnlyDictionary<string, string> Kernels);

/// <summary>A data cache.</summary>
internal sealed record CacheJson(int Level, long Bytes);

/// <summary><c>eval --json</c>; the last two only with a reference.</summary>
internal sealed record EvaluationJson
{
    public required long Tokens { get; init; }

    public required double Loss { get; init; }

    public required double Perplexity { get; init; }

    public required double PerplexityStandardError { get; init; }

    public required double BitsPerWeight { get; init; }

    public required double LinearBitsPerWeight { get; init; }

    public required long StoredBytes { get; init; }

    public required double TokensPerSecond { get; init; }

    public required double Accuracy { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public KlJson? Kl { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? TopAgreement { get; init; }
}

/// <summary>KL divergence to the reference over positions, in nats.</summary>
internal sealed record KlJson(double Mean, double Median, double P99, double P999);

/// <summary><c>chat --json</c>: all messages, and per reply why it ended.</summary>
internal sealed record ChatJson(IReadOnlyList<ChatMessageJson> Messages, IReadOnlyList<string> FinishReasons, ulong Seed);

/// <summary>A message of a chat.</summary>
internal sealed record ChatMessageJson(string Role, string Content);

/// <summary><c>generate --json</c>; log-probabilities only when asked for, those of the prompt with <c>--echo</c>.</summary>
internal sealed record GenerationJson
{
    public required IReadOnlyList<int> PromptIds { get; init; }

    public required IReadOnlyList<int> Ids { get; init; }

    public required string Text { get; init; }

    public required string FinishReason { get; init; }

    public required ulong Seed { get; init; }

    /// <summary>Per generated token, the best tokens at the position that it was chosen at.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<IReadOnlyList<LogProbabilityJson>>? Logprobs { get; init; }

    /// <summary>Per token of the prompt, the best tokens to follow it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<IReadOnlyList<LogProbabilityJson>>? PromptLogprobs { get; init; }

    /// <summary>What a reason is called.</summary>
    public static string Name(FinishReason reason) => reason switch
    {
        Inference.FinishReason.EndOfText => "endOfText",
        Inference.FinishReason.StopText => "stopText",
        _ => "length",
    };
}

/// <summary>A token and its natural log-probability.</summary>
internal sealed record LogProbabilityJson(int Id, double Logprob);

/// <summary><c>bench --json</c>: medians; energy only where the machine's counters can be read.</summary>
internal sealed record SpeedJson
{
    public required double PrefillTokensPerSecond { get; init; }

    public required double DecodeTokensPerSecond { get; init; }

    public required long PeakBytes { get; init; }

    /// <summary>Memory of the weights.</summary>
    public required long ModelBytes { get; init; }

    public required int Threads { get; init; }

    /// <summary>Bytes of weights and cache that a generated token reads.</summary>
    public required long BytesPerToken { get; init; }

    public required long MultiplicationsPerToken { get; init; }

    public required long AdditionsPerToken { get; init; }

    public required double CpuSecondsPerToken { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? JoulesPerToken { get; init; }
}

/// <summary><c>tokenize --json</c>; the text only when ids were decoded.</summary>
internal sealed record TokenizationJson
{
    public required IReadOnlyList<int> Ids { get; init; }

    public required IReadOnlyList<string> Pieces { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Text { get; init; }
}

/// <summary>A line that <c>tokenize</c> reads from standard input: a text with how it is to be encoded, or ids.</summary>
internal sealed record TokenizationRequestJson
{
    public string? Text { get; init; }

    /// <summary>Whether texts of special tokens become their ids (default true); for ids, whether special tokens stay in the text (default false).</summary>
    public bool? Special { get; init; }

    /// <summary>Whether the tokens that the tokenizer puts around every text are added; default true.</summary>
    public bool? AddSpecialTokens { get; init; }

    public int[]? Ids { get; init; }
}

/// <summary><c>verify --json</c>.</summary>
internal sealed record VerificationJson(bool Passed, IReadOnlyList<CheckJson> Checks);

/// <summary>One check.</summary>
internal sealed record CheckJson(string Name, bool Passed, string Detail);

/// <summary><c>inspect MODEL --json</c>; the CPU only with <c>--cpu</c>.</summary>
internal sealed record InspectionJson
{
    public required string Model { get; init; }

    public required string Format { get; init; }

    public required string Architecture { get; init; }

    public required long Parameters { get; init; }

    public required int ContextLength { get; init; }

    public required int VocabularySize { get; init; }

    public required int HiddenSize { get; init; }

    public required int Blocks { get; init; }

    public required long StoredBytes { get; init; }

    public required double BitsPerWeight { get; init; }

    public required double LinearBitsPerWeight { get; init; }

    /// <summary>Kind of the tokenizer; null where none lies beside the model.</summary>
    public required string? Tokenizer { get; init; }

    /// <summary>Stored tensors by type, the largest share of bytes first.</summary>
    public required IReadOnlyList<TensorTypeJson> TensorTypes { get; init; }

    /// <summary>The chat templates by name, the only one as <c>default</c>; null where there is none.</summary>
    public required IReadOnlyDictionary<string, ChatTemplateJson>? ChatTemplates { get; init; }

    public required IReadOnlyList<LayerSummaryJson> Layers { get; init; }

    public required IReadOnlyList<TensorJson> Tensors { get; init; }

    public required IReadOnlyList<string> Warnings { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public CpuJson? Cpu { get; init; }
}

/// <summary>A chat template: whose marks it writes, and its length.</summary>
internal sealed record ChatTemplateJson(string Family, int Characters);

/// <summary>A matrix of the model and how it is stored.</summary>
internal sealed record LayerSummaryJson(string Name, string Method, int OutputDimension, int InputDimension, long StoredBytes, double BitsPerWeight);

/// <summary>The tensors of one stored type.</summary>
internal sealed record TensorTypeJson(string Type, int Tensors, long StoredBytes);

/// <summary>A stored tensor.</summary>
internal sealed record TensorJson(string Name, string Type, IReadOnlyList<long> Shape);

/// <summary><c>demo --json</c>.</summary>
internal sealed record DemonstrationJson(string Report, IReadOnlyList<DemonstrationRowJson> Rows, string DenseText, string CompressedText, string CompressedWith);

/// <summary>One row of the demonstration's table; the dense model's has no distance to itself.</summary>
internal sealed record DemonstrationRowJson(
    string Method, string Options, double BitsPerWeight, long StoredBytes, double Perplexity, double PerplexityStandardError, double? Kl, double TokensPerSecond);
