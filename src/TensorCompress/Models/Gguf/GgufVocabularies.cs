using System.Text.Json.Nodes;
using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tokenization;

namespace TensorCompress.Models.Gguf;

/// <summary>The tokenizer of a GGUF file.</summary>
internal static class GgufVocabularies
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>Reads the vocabulary; null where the file has none.</summary>
    public static GgufVocabulary? Read(GgufFile file)
    {
        GgufMetadata metadata = file.Metadata;
        IReadOnlyList<string>? tokens = metadata.Texts(Prefix + "tokens");
        string? model = metadata.Text(Prefix + "model");
        if (tokens is null || model is null) return null;
        foreach ((string key, int? count) in new[] { ("scores", metadata.Singles(Prefix + "scores")?.Count), ("token_type", metadata.Integers(Prefix + "token_type")?.Count) })
        {
            if (count is not null && count != tokens.Count)
                throw new TensorFormatException(TensorFormatError.Inconsistent, $"{Prefix}{key} has {count} values, the vocabulary {tokens.Count} tokens");
        }

        return new GgufVocabulary
        {
            Model = model,
            Pre = metadata.Text(Prefix + "pre"),
            Tokens = tokens,
            TokenTypes = metadata.Integers(Prefix + "token_type"),
            Scores = metadata.Singles(Prefix + "scores"),
            Merges = metadata.Texts(Prefix + "merges"),
            BosTokenId = Id("bos_token_id"),
            EosTokenId = Id("eos_token_id"),
            EotTokenId = Id("eot_token_id"),
            UnknownTokenId = Id("unknown_token_id"),
            PaddingTokenId = Id("padding_token_id"),
            AddBosToken = metadata.Flag(Prefix + "add_bos_token"),
            AddEosToken = metadata.Flag(Prefix + "add_eos_token"),
            AddSpacePrefix = metadata.Flag(Prefix + "add_space_prefix"),
            RemoveExtraWhitespaces = metadata.Flag(Prefix + "remove_extra_whitespaces"),
            CharacterMap = metadata.Integers(Prefix + "precompiled_charsmap") is { } map ? [.. map.Select(value => (byte)value)] : null,
            ChatTemplate = metadata.Text("tokenizer.chat_template"),
        };

        int? Id(string key)
        {
            long? id = metadata.Integer(Prefix + key);
            if (id is < 0 || id >= tokens.Count) throw new TensorFormatException(TensorFormatError.Value, $"{Prefix}{key} is {id}, the vocabulary has {tokens.Count} tokens");
            return (int?)id;
        }
    }

    /// <summary>Adds vocabulary size and special ids to a configuration.</summary>
    public static void AddSizeAndIds(GgufModelMetadata metadata, JsonObject configuration)
    {
        if (!metadata.File.Tensors.TryGetValue("token_embd.weight", out TensorInfo? embedding) || embedding.Shape.Count != 2)
            throw new TensorFormatException(TensorFormatError.Inconsistent, "the file lacks the embedding [vocabulary, hidden]", tensor: "token_embd.weight");
        configuration["vocab_size"] = embedding.Shape[0];
        foreach ((string key, string name) in new[] { ("bos_token_id", "bos_token_id"), ("eos_token_id", "eos_token_id"), ("padding_token_id", "pad_token_id") })
        {
            if (metadata.File.Metadata.Integer(Prefix + key) is { } id) configuration[name] = id;
        }

        configuration["torch_dtype"] = "float32";
    }

    /// <summary>The tokenizer files of a Hugging Face folder with this vocabulary.</summary>
    public static IReadOnlyList<CompanionFile> CompanionFiles(GgufVocabulary vocabulary) =>
    [
        new(TokenizerFactory.FileNameOf(vocabulary), stream => stream.Write(TokenizerFactory.Write(vocabulary))),
        new("tokenizer_config.json", stream => stream.Write(TokenizerConfigJson.Write(vocabulary))),
    ];
}
