using TensorCompress.Storage.Gguf;

namespace TensorCompress.Models.Gguf;

/// <summary>The tokens of a vocabulary as GGUF lists them: one text and one type for each row of the model's embedding.</summary>
internal sealed class TokenList
{
    public const string Prefix = "tokenizer.ggml.";

    // Token types of ggml.
    public const int Normal = 1;
    public const int Unknown = 2;
    public const int Control = 3;
    public const int UserDefined = 4;
    public const int Byte = 6;
    private const int Unused = 5;

    private readonly string[] _texts;
    private readonly int[] _types;

    /// <summary>Begins with tokens that are not used.</summary>
    public TokenList(int count)
    {
        _texts = [.. Enumerable.Range(0, count).Select(id => $"[PAD{id}]")];
        _types = new int[count];
        Array.Fill(_types, Unused);
    }

    public int Count => _texts.Length;

    public void Set(int id, string text, int type) => (_texts[id], _types[id]) = (text, type);

    /// <summary>Writes the kind of model, the name of the pre-tokenizer, texts and types.</summary>
    public void Write(GgufMetadataBuilder metadata, string model, string pre)
    {
        metadata.Add(Prefix + "model", model);
        metadata.Add(Prefix + "pre", pre);
        metadata.Add(Prefix + "tokens", _texts);
        metadata.Add(Prefix + "token_type", _types.AsSpan());
    }
}
