using TensorCompress.Storage;
using TensorCompress.Tokenization.Json;
using TensorCompress.Tokenization.SentencePiece;

namespace TensorCompress.Tokenization;

/// <summary>Finds and reads the tokenizer of a model, from a file or from the model's folder. Files up to 256 MiB and 4 million tokens are read.</summary>
public static class TokenizerLoader
{
    private const string TokenizerJsonName = "tokenizer.json";
    private const string SentencePieceName = "tokenizer.model";
    private const string VocabName = "vocab.json";
    private const string MergesName = "merges.txt";
    private const string CharactersName = "characters.json";
    private const string Llama2cPattern = "tok*.bin";

    private static readonly string Supported =
        $"{TokenizerJsonName}, {SentencePieceName} of SentencePiece, {VocabName} with {MergesName}, {CharactersName}, {Llama2cPattern} of llama2.c";

    /// <summary>Reads the tokenizer at a path.</summary>
    /// <param name="path">A tokenizer file, or a model's folder, where the first of tokenizer.json, tokenizer.model, vocab.json with merges.txt, characters.json and a single tok*.bin counts.
    /// Ids that begin and end a text come from generation_config.json, config.json and tokenizer_config.json beside it.</param>
    /// <param name="vocabularySize">Number of tokens that the model has, or null. A tokenizer with more is refused; a llama2.c vocabulary must have as many.</param>
    /// <exception cref="FileNotFoundException">There is no tokenizer at the path.</exception>
    /// <exception cref="TensorFormatException">A file is damaged, contradicts another, or is of a kind that is not supported.</exception>
    public static Tokenizer Load(string path, int? vocabularySize = null) =>
        TryLoad(path, vocabularySize) ?? throw new FileNotFoundException($"There is no tokenizer at '{path}'; supported are {Supported}.", path);

    /// <summary>Reads the tokenizer at a path, as <see cref="Load"/> does.</summary>
    /// <param name="path">A tokenizer file or a model's folder.</param>
    /// <param name="vocabularySize">Number of tokens that the model has, or null.</param>
    /// <returns>The tokenizer, or null where there is none.</returns>
    /// <exception cref="TensorFormatException">A file is damaged, contradicts another, or is of a kind that is not supported.</exception>
    public static Tokenizer? TryLoad(string path, int? vocabularySize = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (vocabularySize is int size) ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size, nameof(vocabularySize));
        string? file = Directory.Exists(path) ? FindInFolder(path) : File.Exists(path) ? path : null;
        if (file is null) return null;
        return Fitting(LoadFile(file, vocabularySize), vocabularySize, file);
    }

    /// <summary>A tokenizer of which every id has a row in the model's embedding.</summary>
    /// <exception cref="TensorFormatException">It has more tokens than the model.</exception>
    internal static Tokenizer Fitting(Tokenizer tokenizer, int? vocabularySize, string? file) =>
        tokenizer.VocabularySize <= (vocabularySize ?? int.MaxValue) ? tokenizer : throw new TensorFormatException(
            TensorFormatError.Inconsistent, $"The tokenizer has {tokenizer.VocabularySize} tokens, the model {vocabularySize}.", file);

    private static string? FindInFolder(string folder)
    {
        string Beside(string name) => Path.Combine(folder, name);
        foreach (string name in (ReadOnlySpan<string>)[TokenizerJsonName, SentencePieceName])
        {
            if (File.Exists(Beside(name))) return Beside(name);
        }

        if (File.Exists(Beside(VocabName)) && File.Exists(Beside(MergesName))) return Beside(VocabName);
        if (File.Exists(Beside(CharactersName))) return Beside(CharactersName);
        string[] vocabularies = [.. Directory.EnumerateFiles(folder, Llama2cPattern).Order(StringComparer.Ordinal)];
        return vocabularies.Length <= 1 ? vocabularies.SingleOrDefault() : throw new TensorFormatException(
            TensorFormatError.Inconsistent, $"The folder has several vocabularies: {string.Join(", ", vocabularies.Select(Path.GetFileName))}; name one.", folder);
    }

    private static Tokenizer LoadFile(string path, int? vocabularySize)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "";
        SpecialTokenSettings settings = SpecialTokenSettings.ReadFolder(folder);
        string name = Path.GetFileName(path);
        if (name is VocabName or MergesName) return LoadGpt2(folder, vocabularySize, settings);
        switch (Path.GetExtension(name).ToLowerInvariant())
        {
            case ".json":
                JsonProperties json = JsonSource.Parse(TokenizerFile.ReadAllBytes(path, TokenizerFile.MaxTokenizerBytes), path).Properties();
                return json.Find("symbols") is null ? TokenizerJson.Read(json, settings) : CharacterTokenizer.Read(json, settings);
            case ".model":
                return LoadSentencePiece(path, settings);
            case ".bin":
                byte[] file = TokenizerFile.ReadAllBytes(path, TokenizerFile.MaxTokenizerBytes);
                return Llama2cTokenizer.Read(file, vocabularySize, path);
            default:
                throw new TensorFormatException(TensorFormatError.Unsupported, $"This kind of tokenizer file is not supported; supported are {Supported}.", path);
        }
    }

    private static SentencePieceTokenizer LoadSentencePiece(string path, SpecialTokenSettings settings)
    {
        SentencePieceVocabulary vocabulary = SentencePieceFile.Read(TokenizerFile.ReadAllBytes(path, TokenizerFile.MaxTokenizerBytes), path);
        return new SentencePieceTokenizer(SentencePieceSettings.Apply(vocabulary, settings, Path.GetDirectoryName(Path.GetFullPath(path)) ?? ""), path);
    }

    private static SubwordTokenizer LoadGpt2(string folder, int? vocabularySize, SpecialTokenSettings settings)
    {
        string vocab = Path.Combine(folder, VocabName);
        string merges = Path.Combine(folder, MergesName);
        return File.Exists(vocab) && File.Exists(merges) ? Gpt2Files.Read(vocab, merges, vocabularySize, settings) : throw new TensorFormatException(
            TensorFormatError.Structure, $"{VocabName} and {MergesName} are only a tokenizer together.", vocab);
    }
}
