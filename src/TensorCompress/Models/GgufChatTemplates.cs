using TensorCompress.Storage.Gguf;
using TensorCompress.Templates;
using TensorCompress.Tokenization;

namespace TensorCompress.Models;

/// <summary>The chat template of a GGUF file.</summary>
internal static class GgufChatTemplates
{
    private const string Key = "tokenizer.chat_template";
    private const string NamesKey = "tokenizer.chat_templates";

    /// <summary>Reads the template, and further ones by their names; null where the file has none.</summary>
    public static ChatTemplate? Read(GgufFile file, GgufVocabulary? vocabulary)
    {
        var sources = new Dictionary<string, string>();
        if (file.Metadata.Text(Key) is string main) sources[ChatTemplate.DefaultName] = main;
        foreach (string name in file.Metadata.Texts(NamesKey) ?? [])
        {
            if (file.Metadata.Text($"{Key}.{name}") is string source) sources.TryAdd(name, source);
        }

        return sources.Count > 0 ? new ChatTemplate(sources, SpecialTokens(vocabulary)) : null;
    }

    private static Dictionary<string, string> SpecialTokens(GgufVocabulary? vocabulary)
    {
        var tokens = new Dictionary<string, string>();
        Add("bos_token", vocabulary?.BosTokenId);
        Add("eos_token", vocabulary?.EosTokenId);
        Add("unk_token", vocabulary?.UnknownTokenId);
        Add("pad_token", vocabulary?.PaddingTokenId);
        return tokens;

        void Add(string name, int? id)
        {
            if (id is int token) tokens[name] = vocabulary!.Tokens[token];
        }
    }
}
