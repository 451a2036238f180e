using TensorCompress.Storage;
using TensorCompress.Tokenization;
using TensorCompress.Tokenization.SentencePiece;

namespace TensorCompress.Tests.Tokenization;

public sealed class SentencePieceTests
{
    private static readonly SentencePieceVocabulary Small = new()
    {
        Pieces = [new("<unk>", 0, PieceType.Unknown), new("<s>", 0, PieceType.Control), new("</s>", 0, PieceType.Control), new("a", -1, PieceType.Normal), new("b", -2, PieceType.Normal), new("ab", -3, PieceType.Normal), new("\u2581", -4, PieceType.Normal)],
        IsBytePair = true,
        BeginId = 1,
        EndId = 2,
    };

    [Theory]
    [InlineData("spm-bpe-gemma")]
    [InlineData("spm-unigram-raw")]
    public void A_model_that_is_written_again_gives_the_same_ids(string folder)
    {
        SentencePieceVocabulary vocabulary = SentencePieceFile.Read(GoldenLines.Bytes(folder + "/tokenizer.model"), null);
        byte[] written = SentencePieceFile.Write(vocabulary);
        Assert.Equal(written, SentencePieceFile.Write(SentencePieceFile.Read(written, null)));
        Assert.True(GoldenLines.Check(SentencePieceTokenizer.Read(written), GoldenLines.FilePath(folder + "/golden.jsonl")) > 25);
    }

    [Fact]
    public void Unknown_characters_of_a_run_are_one_piece()
    {
        SentencePieceTokenizer tokenizer = Make(Small);
        Assert.Equal([1, 6, 5, 0, 3, 2], tokenizer.Encode("abxyza", new EncodeOptions()));
        Assert.Equal("ab \u2047 a", tokenizer.Decode([1, 6, 5, 0, 3, 2]));
        Assert.Equal([6, 3, 6, 4], tokenizer.Encode("  a   b ", new EncodeOptions(AddSpecialTokens: false)));
        Assert.Empty(tokenizer.Encode("   ", new EncodeOptions(AddSpecialTokens: false)));
    }

    [Fact]
    public void Unused_pieces_are_taken_apart_again()
    {
        Piece[] pieces = [.. Small.Pieces];
        pieces[5] = pieces[5] with { Type = PieceType.Unused };
        Assert.Equal([6, 3, 4], Make(Small with { Pieces = pieces }).Encode("ab", new EncodeOptions(AddSpecialTokens: false)));
    }

    [Theory]
    [InlineData(new byte[] { 0x0A }, TensorFormatError.Encoding)] // cut behind a tag
    [InlineData(new byte[] { 0x08, 0x80 }, TensorFormatError.Encoding)] // cut within a number
    [InlineData(new byte[] { 0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01 }, TensorFormatError.Encoding)] // eleven bytes
    [InlineData(new byte[] { 0x0A, 0x05, 0x00 }, TensorFormatError.Encoding)] // longer than the rest
    [InlineData(new byte[] { 0x0B, 0x0B, 0x0B }, TensorFormatError.Encoding)] // groups
    [InlineData(new byte[] { 0x0F }, TensorFormatError.Encoding)] // wire type 7
    [InlineData(new byte[] { 0x00 }, TensorFormatError.Encoding)] // field 0
    [InlineData(new byte[] { 0x0A, 0x00 }, TensorFormatError.Value)] // an empty piece
    [InlineData(new byte[] { 0x0A, 0x03, 0x0A, 0x01, 0xFF }, TensorFormatError.Encoding)] // no UTF-8
    [InlineData(new byte[] { 0x0A, 0x05, 0x0A, 0x01, 0x61, 0x18, 0x09 }, TensorFormatError.Type)] // type 9
    [InlineData(new byte[] { 0x12, 0x02, 0x18, 0x03 }, TensorFormatError.Unsupported)] // a model of words
    [InlineData(new byte[] { }, TensorFormatError.Structure)]
    public void A_damaged_file_is_refused_as_such(byte[] file, TensorFormatError kind) => Assert.Equal(kind, Assert.Throws<TensorFormatException>(() => SentencePieceTokenizer.Read(file)).Kind);

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(-1e38f)]
    public void Scores_that_cannot_be_used_are_refused(float score) => AssertFault(TensorFormatError.Value, Small with { Pieces = [.. Small.Pieces, new("c", score, PieceType.Normal)] });

    [Fact]
    public void Contradictions_are_refused()
    {
        AssertFault(TensorFormatError.Duplicate, Small with { Pieces = [.. Small.Pieces, new("a", 0, PieceType.Normal)] });
        AssertFault(TensorFormatError.Limit, Small with { Pieces = [.. Small.Pieces, new(new string('x', 1 << 20), 0, PieceType.Normal)] });
        AssertFault(TensorFormatError.Inconsistent, Small with { FallsBackToBytes = true });
        AssertFault(TensorFormatError.Inconsistent, Small with { Pieces = [.. Small.Pieces, new("<unk2>", 0, PieceType.Unknown)] });
        AssertFault(TensorFormatError.Size, Small with { CharacterMap = [1, 2, 3] });
        AssertFault(TensorFormatError.Size, Small with { CharacterMap = [8, 0, 0, 0, 1, 2, 3, 4] });
    }

    [Fact]
    public void Any_changed_byte_gives_a_tokenizer_or_a_format_fault()
    {
        byte[] file = GoldenLines.Bytes("spm-unigram-raw/tokenizer.model");
        var random = new Random(41);
        int read = 0;
        int refused = 0;
        for (int trial = 0; trial < 1500; trial++)
        {
            byte[] changed = trial % 3 == 0 ? file[..random.Next(file.Length)] : [.. file];
            if (trial % 3 > 0) changed[random.Next(changed.Length)] = (byte)random.Next(256);
            try
            {
                SentencePieceTokenizer.Read(changed).Encode("The quick brown fox", new EncodeOptions());
                read++;
            }
            catch (TensorFormatException)
            {
                refused++;
            }
        }

        Assert.True(read > 100 && refused > 100, $"{read} read, {refused} refused");
    }

    [Fact]
    public void A_gguf_vocabulary_becomes_a_model_file_with_the_same_ids()
    {
        byte[] file = GoldenLines.Bytes("spm-bpe-gemma/tokenizer.model");
        SentencePieceVocabulary model = SentencePieceFile.Read(file, null);
        var vocabulary = new GgufVocabulary
        {
            Model = "llama",
            Tokens = [.. model.Pieces.Select(piece => piece.Text)],
            Scores = [.. model.Pieces.Select(piece => piece.Score)],
            TokenTypes = [.. model.Pieces.Select(piece => (int)piece.Type)],
            BosTokenId = model.BeginId,
            EosTokenId = model.EndId,
            AddBosToken = true,
            AddEosToken = true,
            AddSpacePrefix = model.AddsDummyPrefix,
        };
        Tokenizer fromGguf = TokenizerFactory.FromGguf(vocabulary);
        string folder = Directory.CreateTempSubdirectory("sentence-piece").FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(folder, TokenizerFactory.FileNameOf(vocabulary)), TokenizerFactory.Write(vocabulary));
            File.WriteAllBytes(Path.Combine(folder, "tokenizer_config.json"), TokenizerConfigJson.Write(vocabulary));
            Tokenizer fromFolder = TokenizerLoader.Load(folder);
            var random = new Random(42);
            for (int trial = 0; trial < 200; trial++)
            {
                string text = TextSamples.Text(random, 20) + (trial % 2 == 0 ? "<s>" : "");
                Assert.Equal(fromGguf.Encode(text, new EncodeOptions()), fromFolder.Encode(text, new EncodeOptions()));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static SentencePieceTokenizer Make(SentencePieceVocabulary vocabulary) => SentencePieceTokenizer.Read(SentencePieceFile.Write(vocabulary));

    private static void AssertFault(TensorFormatError kind, SentencePieceVocabulary vocabulary) => Assert.Equal(kind, Assert.Throws<TensorFormatException>(() => Make(vocabulary)).Kind);
}
