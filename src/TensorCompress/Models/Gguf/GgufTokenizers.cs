using System.Text.Json;
using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tokenization;
using TensorCompress.Tokenization.SentencePiece;

namespace TensorCompress.Models.Gguf;

/// <summary>Writes a model's tokenizer and chat template into GGUF metadata.</summary>
internal static class GgufTokenizers
{
    private const string Prefix = TokenList.Prefix;

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
        string? reason = tokenizer is null ? "there is no tokenizer" : WriteVocabulary(metadata, source, tokenizer);
        if (reason is not null)
        {
            metadata.Add(Prefix + "model", "no_vocab");
            return reason + ": the file takes ids only";
        }

        WriteSpecialIds(metadata, source, tokenizer!);
        return null;
    }

    private static string? WriteVocabulary(GgufMetadataBuilder metadata, ModelCheckpoint source, Tokenizer tokenizer)
    {
        var tokens = new TokenList(source.Definition.VocabularySize);
        // The model itself has the scores that its JSON form lacks.
        if (tokenizer is SubwordTokenizer && source.ReadCompanion("tokenizer.model") is { } model) tokenizer = SentencePieceTokenizer.Read(model, "tokenizer.model");
        switch (tokenizer)
        {
            case SentencePieceTokenizer pieces: WriteSentencePiece(metadata, tokens, pieces.Vocabulary); return null;
            case Llama2cTokenizer llama: WriteLlama2c(metadata, tokens, llama); return null;
            case SubwordTokenizer when source.ReadCompanion("tokenizer.json") is { } json && GgufTokenizerJson.Read(json) is { } file: return file.Write(metadata, tokens);
            default: return $"a {tokenizer.Kind} tokenizer has no place in GGUF";
        }
    }

    private static void WriteSentencePiece(GgufMetadataBuilder metadata, TokenList tokens, SentencePieceVocabulary vocabulary)
    {
        var scores = new float[tokens.Count];
        for (int id = 0; id < vocabulary.Pieces.Count; id++)
        {
            (string text, scores[id], PieceType type) = vocabulary.Pieces[id];
            tokens.Set(id, text, (int)type);
        }

        foreach (AddedToken token in vocabulary.AddedTokens) tokens.Set(token.Id, token.Content, token.IsSpecial ? TokenList.Control : TokenList.UserDefined);
        tokens.Write(metadata, vocabulary.IsBytePair ? "llama" : "t5", "default");
        metadata.Add(Prefix + "scores", scores.AsSpan());
        metadata.Add(Prefix + "add_space_prefix", vocabulary.AddsDummyPrefix);
        if (vocabulary.IsBytePair) return;
        metadata.Add(Prefix + "remove_extra_whitespaces", vocabulary.RemovesExtraWhitespace);
        if (vocabulary.CharacterMap.Length > 0) metadata.AddRaw(Prefix + "precompiled_charsmap", new NumberList(0, 1, vocabulary.CharacterMap));
    }

    // Ids 0, 1 and 2 are unknown, BOS and EOS; then a token for each byte; then pieces with blanks, which SentencePiece writes as U+2581.
    private static void WriteLlama2c(GgufMetadataBuilder metadata, TokenList tokens, Llama2cTokenizer tokenizer)
    {
        const int firstPiece = 259;
        var scores = new float[tokens.Count];
        tokenizer.Scores.CopyTo(scores);
        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            (string text, int type) = id switch
            {
                0 => ("<unk>", TokenList.Unknown),
                1 => ("<s>", TokenList.Control),
                2 => ("</s>", TokenList.Control),
                < firstPiece => ($"<0x{id - 3:X2}>", TokenList.Byte),
                _ => (tokenizer.Piece(id).Replace(' ', '\u2581'), TokenList.Normal),
            };
            tokens.Set(id, text, type);
        }

        tokens.Write(metadata, "llama", "default");
        metadata.Add(Prefix + "scores", scores.AsSpan());
        metadata.Add(Prefix + "unknown_token_id", 0u);
    }

    private static void WriteSpecialIds(GgufMetadataBuilder metadata, ModelCheckpoint source, Tokenizer tokenizer)
    {
        // Whether BOS and EOS are put around a text is seen on the empty one.
        int[] around = tokenizer.Encode("", new EncodeOptions());
        metadata.Add(Prefix + "add_bos_token", tokenizer.BeginOfTextId is { } first && around.Contains(first));
        metadata.Add(Prefix + "add_eos_token", around.Length > 0 && tokenizer.EndOfTextIds.Contains(around[^1]) && around[^1] != tokenizer.BeginOfTextId);
        if (tokenizer.BeginOfTextId is { } begin) metadata.Add(Prefix + "bos_token_id", (uint)begin);
        if (tokenizer.EndOfTextIds.Count > 0) metadata.Add(Prefix + "eos_token_id", (uint)tokenizer.EndOfTextIds[0]);
        if (tokenizer.EndOfTextIds.Count > 1) metadata.Add(Prefix + "eot_token_id", (uint)tokenizer.EndOfTextIds[1]);
        if (source.Configuration.Root.TryGetProperty("pad_token_id", out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int padding)
            && padding >= 0 && padding < source.Definition.VocabularySize)
            metadata.Add(Prefix + "padding_token_id", (uint)padding);
        if (source.LoadChatTemplate()?.DefaultSource is { } template) metadata.Add("tokenizer.chat_template", template);
    }
}
