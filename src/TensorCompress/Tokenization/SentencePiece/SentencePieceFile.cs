using TensorCompress.Storage;

namespace TensorCompress.Tokenization.SentencePiece;

/// <summary>Reads a SentencePiece <c>.model</c>: a protobuf message with pieces and the settings of trainer and normaliser.</summary>
internal static class SentencePieceFile
{
    private const int MaxPieces = 4_000_000;
    private const int MaxPieceBytes = 1024;
    private const float MinScore = -1e30f;

    private enum ModelType
    {
        Unigram = 1,
        Bpe = 2,
        Word = 3,
        Char = 4,
    }

    /// <summary>Reads a model.</summary>
    /// <param name="file">The whole file.</param>
    /// <param name="fileName">Name for messages, or null.</param>
    /// <exception cref="TensorFormatException">The file is damaged, or of a kind that is not supported.</exception>
    public static SentencePieceVocabulary Read(ReadOnlySpan<byte> file, string? fileName)
    {
        var pieces = new List<Piece>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var vocabulary = new SentencePieceVocabulary { Pieces = pieces };
        var special = new SpecialPieces();
        var reader = new ProtobufReader(file, 0, fileName);
        while (reader.Next())
        {
            long offset = reader.Offset;
            switch (reader.Field)
            {
                case 1:
                    if (pieces.Count == MaxPieces) throw new TensorFormatException(TensorFormatError.Limit, $"The model has more than {MaxPieces} pieces.", fileName, offset: offset);
                    Piece piece = ReadPiece(new ProtobufReader(reader.Bytes(), offset, fileName), pieces.Count, fileName, offset);
                    if (!seen.Add(piece.Text)) throw new TensorFormatException(TensorFormatError.Duplicate, $"The piece '{piece.Text}' stands twice.", fileName, offset: offset);
                    pieces.Add(piece);
                    break;
                case 2:
                    vocabulary = ReadTrainer(new ProtobufReader(reader.Bytes(), offset, fileName), vocabulary, special, fileName, offset);
                    break;
                case 3:
                    vocabulary = ReadNormalizer(new ProtobufReader(reader.Bytes(), offset, fileName), vocabulary);
                    break;
                case 5:
                    if (ReadNormalizer(new ProtobufReader(reader.Bytes(), offset, fileName), vocabulary).CharacterMap is { Length: > 0 } map && !map.AsSpan().SequenceEqual(vocabulary.CharacterMap))
                        throw new TensorFormatException(TensorFormatError.Unsupported, "A denormalizer with rules is not supported.", fileName, offset: offset);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        if (pieces.Count == 0) throw new TensorFormatException(TensorFormatError.Structure, "The model has no pieces.", fileName);
        return vocabulary with { BeginId = FindControl(pieces, special.Begin), EndId = FindControl(pieces, special.End) };
    }

    /// <summary>Writes a model, so that <see cref="Read"/> and SentencePiece itself give the same ids. The same vocabulary gives the same bytes.</summary>
    public static byte[] Write(SentencePieceVocabulary vocabulary)
    {
        var file = new ProtobufWriter();
        foreach (Piece piece in vocabulary.Pieces)
        {
            var entry = new ProtobufWriter();
            entry.Text(1, piece.Text);
            entry.Single(2, piece.Score);
            if (piece.Type != PieceType.Normal) entry.Int(3, (int)piece.Type);
            file.Message(1, entry);
        }

        file.Message(2, Trainer(vocabulary));
        var normalizer = new ProtobufWriter();
        normalizer.Text(1, vocabulary.CharacterMap.Length == 0 ? "identity" : "user_defined");
        normalizer.Bytes(2, vocabulary.CharacterMap);
        normalizer.Int(3, vocabulary.AddsDummyPrefix ? 1 : 0);
        normalizer.Int(4, vocabulary.RemovesExtraWhitespace ? 1 : 0);
        normalizer.Int(5, vocabulary.EscapesWhitespace ? 1 : 0);
        file.Message(3, normalizer);
        return file.ToArray();
    }

    private static ProtobufWriter Trainer(SentencePieceVocabulary vocabulary)
    {
        var trainer = new ProtobufWriter();
        trainer.Int(3, (int)(vocabulary.IsBytePair ? ModelType.Bpe : ModelType.Unigram));
        trainer.Int(24, vocabulary.TreatsWhitespaceAsSuffix ? 1 : 0);
        trainer.Int(35, vocabulary.FallsBackToBytes ? 1 : 0);
        int unknown = vocabulary.Pieces.Select((piece, id) => (piece, id)).First(entry => entry.piece.Type == PieceType.Unknown).id;
        trainer.Int(40, unknown);
        trainer.Int(41, vocabulary.BeginId ?? -1);
        trainer.Int(42, vocabulary.EndId ?? -1);
        trainer.Text(44, vocabulary.UnknownSurface);
        trainer.Text(45, vocabulary.Pieces[unknown].Text);
        if (vocabulary.BeginId is int begin) trainer.Text(46, vocabulary.Pieces[begin].Text);
        if (vocabulary.EndId is int end) trainer.Text(47, vocabulary.Pieces[end].Text);
        return trainer;
    }

    private static Piece ReadPiece(ProtobufReader reader, int id, string? fileName, long offset)
    {
        string text = "";
        float score = 0;
        int type = (int)PieceType.Normal;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    text = reader.Text();
                    break;
                case 2:
                    score = reader.Single();
                    break;
                case 3:
                    type = reader.Int();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        if (text.Length == 0) throw new TensorFormatException(TensorFormatError.Value, $"The piece {id} is empty.", fileName, offset: offset);
        if (System.Text.Encoding.UTF8.GetByteCount(text) > MaxPieceBytes)
            throw new TensorFormatException(TensorFormatError.Limit, $"The piece {id} has more than {MaxPieceBytes} bytes.", fileName, offset: offset);
        if (!float.IsFinite(score) || score < MinScore) throw new TensorFormatException(TensorFormatError.Value, $"The score {score} of piece {id} cannot be used.", fileName, offset: offset);
        return Enum.IsDefined((PieceType)type)
            ? new Piece(text, score, (PieceType)type)
            : throw new TensorFormatException(TensorFormatError.Type, $"The type {type} of piece {id} is not known.", fileName, offset: offset);
    }

    private static SentencePieceVocabulary ReadTrainer(ProtobufReader reader, SentencePieceVocabulary vocabulary, SpecialPieces special, string? fileName, long offset)
    {
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    var type = (ModelType)reader.Int();
                    if (type is not (ModelType.Unigram or ModelType.Bpe))
                        throw new TensorFormatException(TensorFormatError.Unsupported, $"The SentencePiece model type '{type}' is not supported; supported are {ModelType.Unigram}, {ModelType.Bpe}.", fileName, offset: offset);
                    vocabulary = vocabulary with { IsBytePair = type == ModelType.Bpe };
                    break;
                case 24:
                    vocabulary = vocabulary with { TreatsWhitespaceAsSuffix = reader.Flag() };
                    break;
                case 35:
                    vocabulary = vocabulary with { FallsBackToBytes = reader.Flag() };
                    break;
                case 44:
                    vocabulary = vocabulary with { UnknownSurface = reader.Text() };
                    break;
                case 46:
                    special.Begin = reader.Text();
                    break;
                case 47:
                    special.End = reader.Text();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return vocabulary;
    }

    private static SentencePieceVocabulary ReadNormalizer(ProtobufReader reader, SentencePieceVocabulary vocabulary)
    {
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2:
                    vocabulary = vocabulary with { CharacterMap = reader.Bytes().ToArray() };
                    break;
                case 3:
                    vocabulary = vocabulary with { AddsDummyPrefix = reader.Flag() };
                    break;
                case 4:
                    vocabulary = vocabulary with { RemovesExtraWhitespace = reader.Flag() };
                    break;
                case 5:
                    vocabulary = vocabulary with { EscapesWhitespace = reader.Flag() };
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return vocabulary;
    }

    private static int? FindControl(List<Piece> pieces, string text)
    {
        int id = pieces.FindIndex(piece => piece.Type == PieceType.Control && piece.Text == text);
        return id < 0 ? null : id;
    }

    private sealed class SpecialPieces
    {
        public string Begin { get; set; } = "<s>";

        public string End { get; set; } = "</s>";
    }
}
