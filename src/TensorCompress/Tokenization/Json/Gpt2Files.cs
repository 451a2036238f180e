using System.Globalization;
using System.Text;
using System.Text.Unicode;
using TensorCompress.Storage;

namespace TensorCompress.Tokenization.Json;

/// <summary>The older form of a GPT-2 tokenizer: vocab.json (token to id) and merges.txt (one merge a line), with what tokenizer_config.json adds.</summary>
internal static class Gpt2Files
{
    private const string EndOfText = "<|endoftext|>";

    private static readonly string[] SupportedClasses = ["GPT2Tokenizer", "GPT2TokenizerFast"];

    public static SubwordTokenizer Read(string vocabPath, string mergesPath, int? vocabularySize, SpecialTokenSettings settings)
    {
        JsonProperties? config = SpecialTokenSettings.ReadConfig(Path.GetDirectoryName(vocabPath) ?? "", "tokenizer_config.json");
        RefuseOtherClasses(config);
        var reader = new VocabularyReader(vocabPath);
        reader.ReadTokens(JsonSource.Parse(TokenizerFile.ReadAllBytes(vocabPath, TokenizerFile.MaxTokenizerBytes), vocabPath));
        AddedToken[] addedTokens = [.. ReadAddedTokens(config, reader, vocabularySize)];
        string?[] tokens = reader.TokensById();
        ReadMerges(TokenizerFile.ReadAllBytes(mergesPath, TokenizerFile.MaxTokenizerBytes), mergesPath, reader);
        SpecialTokenIds ids = settings.Resolve(tokens);
        if (Array.IndexOf(tokens, EndOfText) is int end and >= 0 && ids.EndOfText.Count == 0) ids = new SpecialTokenIds(ids.BeginOfText ?? end, end);
        var vocabulary = new ByteLevelBpeVocabulary { Tokens = tokens, Merges = reader.Merges, PreTokenizer = PreTokenizers.Gpt2, AddedTokens = addedTokens };
        return SubwordTokenizer.FromByteLevelBpe(vocabulary, ids);
    }

    // Other tokenizers of the same two files cut or mark words in other ways.
    private static void RefuseOtherClasses(JsonProperties? config)
    {
        if (config?.Find("tokenizer_class")?.String() is string name && !SupportedClasses.Contains(name))
            throw config.Value.Unsupported($"The tokenizer class '{name}' of vocab.json and merges.txt", SupportedClasses);
        if (config?.Flag("add_prefix_space") == true) throw config.Value.Unsupported("add_prefix_space", ["add_prefix_space: false"]);
    }

    private static IEnumerable<AddedToken> ReadAddedTokens(JsonProperties? config, VocabularyReader reader, int? vocabularySize)
    {
        if (config?.Find("added_tokens_decoder") is JsonSource list)
        {
            foreach ((string key, JsonSource item) in list.Properties().All)
            {
                if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id)) throw item.Fault(TensorFormatError.Value, $"'{key}' is no id.");
                yield return AddedTokenJson.Read(item.Properties(), id, reader);
            }
        }
        else if (reader.Find(EndOfText) is int id)
        {
            yield return new AddedToken(id, EndOfText, IsSpecial: true);
        }
        else if (vocabularySize is null || reader.Count < vocabularySize)
        {
            // The published class appends it where the vocabulary lacks it.
            reader.AddToken(EndOfText, reader.Count);
            yield return new AddedToken(reader.Count - 1, EndOfText, IsSpecial: true);
        }
    }

    private static void ReadMerges(byte[] utf8, string path, VocabularyReader reader)
    {
        if (!Utf8.IsValid(utf8)) throw new TensorFormatException(TensorFormatError.Encoding, "The file is not valid UTF-8.", path);
        ReadOnlySpan<char> text = Encoding.UTF8.GetString(utf8);
        foreach (Range line in text.Split('\n'))
        {
            ReadOnlySpan<char> merge = text[line].TrimEnd('\r');
            bool isVersion = line.Start.Value == 0 && merge.StartsWith("#version");
            if (!merge.IsEmpty && !isVersion) reader.AddMerge(merge);
        }
    }
}
