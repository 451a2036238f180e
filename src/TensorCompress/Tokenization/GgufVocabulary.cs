namespace TensorCompress.Tokenization;

/// <summary>The tokenizer of a GGUF file: its metadata as plain data, named like the keys under <c>tokenizer.ggml</c>. What a file lacks is null.</summary>
public sealed record GgufVocabulary
{
    /// <summary><c>model</c>: <c>gpt2</c> is byte-level BPE, <c>llama</c> is SentencePiece's BPE, <c>t5</c> its Unigram.</summary>
    public required string Model { get; init; }

    /// <summary><c>pre</c>: name of the pre-tokenizer, one of <see cref="PreTokenizers.Names"/>.</summary>
    public string? Pre { get; init; }

    /// <summary><c>tokens</c>: text of each id, for <c>gpt2</c> in its byte alphabet.</summary>
    public required IReadOnlyList<string> Tokens { get; init; }

    /// <summary><c>token_type</c> of each id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Null: all are normal.</summary>
    public IReadOnlyList<int>? TokenTypes { get; init; }

    /// <summary><c>scores</c> of each id, for SentencePiece.</summary>
    public IReadOnlyList<float>? Scores { get; init; }

    /// <summary><c>merges</c>, each two parts with a blank between them, best rank first.</summary>
    public IReadOnlyList<string>? Merges { get; init; }

    /// <summary><c>bos_token_id</c>.</summary>
    public int? BosTokenId { get; init; }

    /// <summary><c>eos_token_id</c>.</summary>
    public int? EosTokenId { get; init; }

    /// <summary><c>eot_token_id</c>: ends a turn of a chat; also ends a generated text.</summary>
    public int? EotTokenId { get; init; }

    /// <summary><c>unknown_token_id</c>.</summary>
    public int? UnknownTokenId { get; init; }

    /// <summary><c>padding_token_id</c>.</summary>
    public int? PaddingTokenId { get; init; }

    /// <summary><c>add_bos_token</c>; null means yes for <c>llama</c> and for the pre-tokenizers of Llama 3 and Tekken, no for the others.</summary>
    public bool? AddBosToken { get; init; }

    /// <summary><c>add_eos_token</c>; null means yes for <c>t5</c>, no for the others.</summary>
    public bool? AddEosToken { get; init; }

    /// <summary><c>add_space_prefix</c>; null means yes for SentencePiece, no for <c>gpt2</c>.</summary>
    public bool? AddSpacePrefix { get; init; }

    /// <summary><c>remove_extra_whitespaces</c>; null means no.</summary>
    public bool? RemoveExtraWhitespaces { get; init; }

    /// <summary><c>precompiled_charsmap</c>: SentencePiece's map for <c>t5</c>.</summary>
    public IReadOnlyList<byte>? CharacterMap { get; init; }

    /// <summary><c>tokenizer.chat_template</c>.</summary>
    public string? ChatTemplate { get; init; }
}
