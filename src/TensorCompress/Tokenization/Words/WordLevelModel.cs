namespace TensorCompress.Tokenization.Words;

/// <summary>One token for each word; what is not in the vocabulary becomes the unknown token, or is dropped where there is none.</summary>
internal sealed class WordLevelModel(TokenTable tokens, int unknownId) : WordModel
{
    public override string Kind => "word level";

    public override void Encode(ReadOnlySpan<char> word, EncodingRun run)
    {
        int id = tokens.Find(word);
        if (id < 0) id = unknownId;
        if (id >= 0) run.Ids.Add(id);
    }
}
