using System.Buffers;
using System.Globalization;
using System.Text.Json;
using TensorCompress.Storage;

namespace TensorCompress.Tokenization;

/// <summary>Hugging Face's <c>tokenizer_config.json</c>: names of the special tokens, and the chat template.</summary>
public static class TokenizerConfigJson
{
    /// <summary>Writes the file that belongs beside the tokenizer.json of the same vocabulary. The same vocabulary gives the same bytes.</summary>
    /// <param name="vocabulary">Metadata of a GGUF file.</param>
    /// <param name="maxLength">The model's context in tokens, or null to leave it out.</param>
    /// <returns>The file as UTF-8.</returns>
    /// <exception cref="TensorFormatException">A special id is not in the vocabulary.</exception>
    public static byte[] Write(GgufVocabulary vocabulary, int? maxLength = null)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        TokenizerFactory.CheckIds(vocabulary, null);
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, TokenizerJson.WriterOptions))
        {
            json.WriteStartObject();
            if (vocabulary.AddBosToken is bool addsBegin) json.WriteBoolean("add_bos_token", addsBegin);
            if (vocabulary.AddEosToken is bool addsEnd) json.WriteBoolean("add_eos_token", addsEnd);
            json.WriteStartObject("added_tokens_decoder");
            foreach (AddedToken token in TokenizerFactory.AddedTokens(vocabulary, null)) WriteAddedToken(json, token);
            json.WriteEndObject();
            WriteToken(json, "bos_token", vocabulary, vocabulary.BosTokenId);
            if (vocabulary.ChatTemplate is string template) json.WriteString("chat_template", template);
            json.WriteBoolean("clean_up_tokenization_spaces", false);
            WriteToken(json, "eos_token", vocabulary, vocabulary.EosTokenId);
            if (maxLength is int length) json.WriteNumber("model_max_length", length);
            WriteToken(json, "pad_token", vocabulary, vocabulary.PaddingTokenId);
            json.WriteString("tokenizer_class", vocabulary.Model switch
            {
                "llama" => "LlamaTokenizer",
                "t5" => "T5Tokenizer",
                _ => "PreTrainedTokenizerFast",
            });
            WriteToken(json, "unk_token", vocabulary, vocabulary.UnknownTokenId);
            json.WriteEndObject();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    private static void WriteAddedToken(Utf8JsonWriter json, AddedToken token)
    {
        json.WriteStartObject(token.Id.ToString(CultureInfo.InvariantCulture));
        json.WriteString("content", token.Content);
        json.WriteBoolean("lstrip", token.StripsLeft);
        json.WriteBoolean("normalized", token.IsNormalized);
        json.WriteBoolean("rstrip", token.StripsRight);
        json.WriteBoolean("single_word", token.IsSingleWord);
        json.WriteBoolean("special", token.IsSpecial);
        json.WriteEndObject();
    }

    private static void WriteToken(Utf8JsonWriter json, string name, GgufVocabulary vocabulary, int? id)
    {
        if (id is int value) json.WriteString(name, vocabulary.Tokens[value]);
    }
}
