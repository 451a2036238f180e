namespace TensorCompress.Tokenization.SentencePiece;

/// <summary>What a piece is.</summary>
internal enum PieceType
{
    /// <summary>Part of texts.</summary>
    Normal = 1,

    /// <summary>Takes the place of what has no piece.</summary>
    Unknown = 2,

    /// <summary>Never part of a text.</summary>
    Control = 3,

    /// <summary>Found in texts before anything else.</summary>
    UserDefined = 4,

    /// <summary>Kept for later.</summary>
    Unused = 5,

    /// <summary>One byte.</summary>
    Byte = 6,
}

/// <summary>One entry of a vocabulary.</summary>
internal readonly record struct Piece(string Text, float Score, PieceType Type);

/// <summary>A SentencePiece model as plain data, whatever file it comes from.</summary>
internal sealed record SentencePieceVocabulary
{
    public required IReadOnlyList<Piece> Pieces { get; init; }

    /// <summary>Whether words are cut by byte-pair merges, by their scores; otherwise by the best sum of scores.</summary>
    public bool IsBytePair { get; init; }

    /// <summary>Whether characters without a piece become bytes.</summary>
    public bool FallsBackToBytes { get; init; }

    /// <summary>What the unknown piece is in a decoded text.</summary>
    public string UnknownSurface { get; init; } = " \u2047 ";

    /// <summary>The normaliser's map, empty for none.</summary>
    public byte[] CharacterMap { get; init; } = [];

    /// <summary>Whether a blank is put before each text.</summary>
    public bool AddsDummyPrefix { get; init; } = true;

    /// <summary>Whether blanks at the ends go, and of several in a row all but one.</summary>
    public bool RemovesExtraWhitespace { get; init; } = true;

    /// <summary>Whether blanks become U+2581.</summary>
    public bool EscapesWhitespace { get; init; } = true;

    /// <summary>Whether the blank of a word stands behind it.</summary>
    public bool TreatsWhitespaceAsSuffix { get; init; }

    public int? BeginId { get; init; }

    public int? EndId { get; init; }

    /// <summary>Whether the first id is put before each text where special tokens are asked for.</summary>
    public bool AddsBegin { get; init; } = true;

    /// <summary>Whether the second id is put behind each text where special tokens are asked for.</summary>
    public bool AddsEnd { get; init; } = true;

    /// <summary>Tokens that are looked for in the text before anything else.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    public SpecialTokenIds SpecialIds { get; init; } = SpecialTokenIds.None;
}
