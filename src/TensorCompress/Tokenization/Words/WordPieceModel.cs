using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Words;

/// <summary>WordPiece: from the left always the longest token, later ones with a prefix that says so. A word that is too long, or has a part without a token, is one unknown token.</summary>
internal sealed class WordPieceModel(TokenTable tokens, int unknownId, string continuingPrefix, int maxCharacters) : WordModel
{
    public override string Kind => "WordPiece";

    public override void Encode(ReadOnlySpan<char> word, EncodingRun run)
    {
        if (run.Cache.TryAppend(word, run.Ids, out ulong hash)) return;
        int before = run.Ids.Count;
        if (!TryCut(word, run))
        {
            run.Ids.RemoveRange(before, run.Ids.Count - before);
            run.Ids.Add(unknownId);
        }

        run.Cache.Add(word, hash, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(run.Ids)[before..]);
    }

    private bool TryCut(ReadOnlySpan<char> word, EncodingRun run)
    {
        int characters = 0;
        for (int i = 0; i < word.Length && characters <= maxCharacters; characters++)
        {
            CodePoints.At(word, i, out int length);
            i += length;
        }

        if (characters > maxCharacters) return false;
        for (int start = 0; start < word.Length;)
        {
            run.Scratch.Clear();
            if (start > 0) run.Scratch.Append(continuingPrefix);
            run.Scratch.Append(word[start..]);
            ReadOnlySpan<char> rest = run.Scratch.Text;
            int prefix = rest.Length - (word.Length - start);
            int id = -1;
            while (rest.Length > prefix && (id = tokens.Find(rest)) < 0)
            {
                CodePoints.Before(rest, rest.Length, out int length);
                rest = rest[..^length];
            }

            if (id < 0) return false;
            run.Ids.Add(id);
            start += rest.Length - prefix;
        }

        return true;
    }
}
