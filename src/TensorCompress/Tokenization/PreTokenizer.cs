using System.Text;
using TensorCompress.Tokenization.Json;
using TensorCompress.Tokenization.Normalizers;
using TensorCompress.Tokenization.Splitting;

namespace TensorCompress.Tokenization;

/// <summary>How a byte-level vocabulary changes texts and cuts them into words; merges never cross their borders. One of <see cref="PreTokenizers"/>.</summary>
public sealed class PreTokenizer
{
    private readonly Lazy<(TextNormalizer[] Normalizers, PreTokenizerStage[] Stages, bool EndsAsBytes)> _parts;

    /// <summary>Takes components as a tokenizer.json has them.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="json">The <c>pre_tokenizer</c>.</param>
    /// <param name="normalizerJson">The <c>normalizer</c>, or null.</param>
    /// <param name="ignoresMerges">Whether the vocabularies take words that are tokens as they are.</param>
    /// <param name="addsBegin">Whether GGUF files that do not say it mean a beginning token before each text.</param>
    internal PreTokenizer(string name, string json, string? normalizerJson = null, bool ignoresMerges = false, bool addsBegin = false)
    {
        Name = name;
        Json = json;
        NormalizerJson = normalizerJson;
        IgnoresMerges = ignoresMerges;
        AddsBegin = addsBegin;
        _parts = new(() => ReadParts(json, normalizerJson));
    }

    /// <summary>Its name in GGUF files (<c>tokenizer.ggml.pre</c>).</summary>
    public string Name { get; }

    internal string Json { get; }

    internal string? NormalizerJson { get; }

    internal bool IgnoresMerges { get; }

    internal bool AddsBegin { get; }

    internal TextNormalizer[] Normalizers => _parts.Value.Normalizers;

    /// <summary>Each stage cuts the pieces of the stage before.</summary>
    internal PreTokenizerStage[] Stages => _parts.Value.Stages;

    /// <summary>Whether the words are left as texts, for the vocabulary to write them in its byte alphabet; otherwise the stages have done that.</summary>
    internal bool EndsAsBytes => _parts.Value.EndsAsBytes;

    private static (TextNormalizer[] Normalizers, PreTokenizerStage[] Stages, bool EndsAsBytes) ReadParts(string json, string? normalizerJson)
    {
        TextNormalizer[] normalizers = normalizerJson is null ? [] : [.. TensorCompress.Tokenization.Json.NormalizerJson.Read(Parse(normalizerJson))];
        PreTokenizerStage[] stages = [.. PreTokenizerJson.Read(Parse(json))];
        return stages is [.. PreTokenizerStage[] before, ByteAlphabetStage] ? (normalizers, before, true) : (normalizers, stages, false);
    }

    private static JsonSource Parse(string json) => JsonSource.Parse(Encoding.UTF8.GetBytes(json), null);
}
