using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tokenization;

namespace TensorCompress.Models.Gguf;

/// <summary>The tokenizer of a GGUF file, whatever model the file holds, or none.</summary>
public static class GgufTokenizer
{
    /// <summary>Reads it.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Null where the file has no vocabulary.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="TensorFormatException">The file is damaged, or its tokenizer is not supported.</exception>
    public static Tokenizer? Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using GgufFile file = GgufFile.Open(path);
        return GgufVocabularies.Read(file) is { } vocabulary ? TokenizerFactory.FromGguf(vocabulary, path) : null;
    }
}
