namespace TensorCompress.Tokenization.Splitting;

/// <summary>
/// The split expression of GPT-2, by hand over code points:
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.
/// </summary>
internal sealed class Gpt2Split : PreTokenizerStage
{
    public override void Cut(ReadOnlySpan<char> part, bool isFirst, EncodingRun run, int depth)
    {
        for (int start = 0; start < part.Length;)
        {
            int end = NextEnd(part, start);
            run.Pass(part[start..end], isFirst && start == 0, depth + 1);
            start = end;
        }
    }

    /// <summary>Where the piece ends that begins at an index.</summary>
    public static int NextEnd(ReadOnlySpan<char> part, int start)
    {
        int contraction = ContractionLength(part[start..]);
        if (contraction > 0) return start + contraction;
        CharacterClass kind = CharacterClasses.At(part, start, out int length);
        int end = start + length;
        if (part[start] == ' ' && end < part.Length)
        {
            // One blank belongs to the run that follows it.
            kind = CharacterClasses.At(part, end, out length);
            if (kind != CharacterClass.Space) end += length;
        }

        end = CharacterClasses.EndOfRun(part, end, kind);
        // \s+(?!\S): before something visible the last white space (always one UTF-16 unit) is left for the next piece.
        return kind == CharacterClass.Space && end < part.Length && end - start > 1 ? end - 1 : end;
    }

    private static int ContractionLength(ReadOnlySpan<char> text)
    {
        if (text.Length < 2 || text[0] != '\'') return 0;
        return text[1] switch
        {
            's' or 't' or 'm' or 'd' => 2,
            'r' or 'v' when text.Length > 2 && text[2] == 'e' => 3,
            'l' when text.Length > 2 && text[2] == 'l' => 3,
            _ => 0,
        };
    }
}
