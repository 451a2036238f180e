using System.Text.Json;
using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tokenization;

namespace TensorCompress.Models.Gguf;

/// <summary>Writes a model's tokenizer and chat template into GGUF metadata.</summary>
internal static class GgufTokenizers
{
    private const string Prefix = "tokenizer.ggml.";

    // Token types of ggml.
    private const int Normal = 1;
    private const int Unknown = 2;
    private const int Control = 3;
    private const int UserDefined = 4;
    private const int Unused = 5;
    private const int Byte = 6;

    /// <summary>Writes the metadata.</summary>
    /// <returns>Why the file has none, or null.</returns>
    /// <exception cref="TensorFormatException">The tokenizer is damaged, or has more tokens than the model.</exception>
    public static string? Write(GgufMetadataBuilder metadata, ModelCheckpoint source)
    {
        if (source.Tensors is GgufModelTensors gguf && gguf.Metadata.Keys.Contains(Prefix + "model"))
        {
            gguf.Metadata.CopyTo(metadata, "tokenizer.");
            return null;
        }

        Tokenizer? tokenizer = source.LoadTokenizer();
        if (tokenizer?.VocabularySize > source.Definition.VocabularySize)
            throw new TensorFormatException(TensorFormatError.Inconsistent, $"the tokenizer has {tokenizer.VocabularySize} tokens, the model {source.Definition.VocabularySize}", source.Path);
        string? warning = tokenizer switch
        {
            ByteLevelBpeTokenizer bpe => WriteByteLevel(metadata, source, bpe),
            Llama2cTokenizer llama => WriteLlama2c(metadata, llama),
            null => "there is no tokenizer: the file takes ids only",
            _ => $"a {tokenizer.Kind} tokenizer has no place in GGUF: the file takes ids only",
        };
        if (warning is null && tokenizer is not null) WriteSpecialIds(metadata, source, tokenizer);
        else metadata.Add(Prefix + "model", "no_vocab");
        return warning;
    }

    private static string? WriteByteLevel(GgufMetadataBuilder metadata, ModelCheckpoint source, ByteLevelBpeTokenizer tokenizer)
    {
        ByteLevelBpeVocabulary vocabulary = tokenizer.ToVocabulary();
        if (PreTokenizers.Find(vocabulary.PreTokenizer.Name) is null) return "GGUF has no name for the tokenizer's way of cutting words: the file takes ids only";
        int count = source.Definition.VocabularySize;
        var texts = new string[count];
        var types = new int[count];
        for (int id = 0; id < count; id++)
        {
            string? text = id < vocabulary.Tokens.Count ? vocabulary.Tokens[id] : null;
            (texts[id], types[id]) = text is null ? ($"[PAD{id}]", Unused) : (text, Normal);
        }

        foreach (AddedToken token in vocabulary.AddedTokens) (texts[token.Id], types[token.Id]) = (token.Content, token.IsSpecial ? Control : UserDefined);
        metadata.Add(Prefix + "model", "gpt2");
        metadata.Add(Prefix + "pre", vocabulary.PreTokenizer.Name);
        metadata.Add(Prefix + "tokens", texts);
        metadata.Add(Prefix + "token_type", types.AsSpan());
        metadata.Add(Prefix + "merges", vocabulary.Merges.Select(merge => $"{vocabulary.Tokens[merge.Left]} {vocabulary.Tokens[merge.Right]}"));
        metadata.Add(Prefix + "add_bos_token", tokenizer.BeginOfTextId is { } begin && vocabulary.PrefixIds.Contains(begin));
        return null;
    }

    // Ids 0, 1 and 2 are unknown, BOS and EOS; then a token for each byte; then pieces with blanks, which SentencePiece writes as U+2581.
    private static string? WriteLlama2c(GgufMetadataBuilder metadata, Llama2cTokenizer tokenizer)
    {
        const int firstPiece = 259;
        int count = tokenizer.VocabularySize;
        var texts = new string[count];
        var types = new int[count];
        for (int id = 0; id < count; id++)
        {
            (texts[id], types[id]) = id switch
            {
                0 => ("<unk>", Unknown),
                1 => ("<s>", Control),
                2 => ("</s>", Control),
                < firstPiece => ($"<0x{id - 3:X2}>", Byte),
                _ => (tokenizer.Piece(id).Replace(' ', '\u2581'), Normal),
            };
        }

        metadata.Add(Prefix + "model", "llama");
        metadata.Add(Prefix + "pre", "default");
        metadata.Add(Prefix + "tokens", texts);
        metadata.Add(Prefix + "scores", tokenizer.Scores);
        metadata.Add(Prefix + "token_type", types.AsSpan());
        metadata.Add(Prefix + "unknown_token_id", 0u);
        metadata.Add(Prefix + "add_bos_token", true);
        metadata.Add(Prefix + "add_eos_token", false);
        return null;
    }

    private static void WriteSpecialIds(GgufMetadataBuilder metadata, ModelCheckpoint source, Tokenizer tokenizer)
    {
        if (tokenizer.BeginOfTextId is { } begin) metadata.Add(Prefix + "bos_token_id", (uint)begin);
        if (tokenizer.EndOfTextIds.Count > 0) metadata.Add(Prefix + "eos_token_id", (uint)tokenizer.EndOfTextIds[0]);
        if (tokenizer.EndOfTextIds.Count > 1) metadata.Add(Prefix + "eot_token_id", (uint)tokenizer.EndOfTextIds[1]);
        if (source.Configuration.Root.TryGetProperty("pad_token_id", out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int padding)
            && padding >= 0 && padding < source.Definition.VocabularySize)
            metadata.Add(Prefix + "padding_token_id", (uint)padding);
        if (source.ChatTemplate is { } template) metadata.Add("tokenizer.chat_template", template);
    }
}
