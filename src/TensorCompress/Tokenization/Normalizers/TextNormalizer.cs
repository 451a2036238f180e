using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Normalizers;

/// <summary>A change that a text goes through before it is cut. Immutable; its time is linear in the length of the text.</summary>
internal abstract class TextNormalizer
{
    /// <summary>Appends the changed text, or says that the text stays as it is.</summary>
    /// <param name="text">A well-formed text that is not empty.</param>
    /// <param name="result">Empty; left empty where nothing changes.</param>
    /// <returns>Whether the result takes the place of the text.</returns>
    public abstract bool Normalize(ReadOnlySpan<char> text, TextBuffer result);

    /// <summary>Puts a text through several, in the memory of a run.</summary>
    public static ReadOnlySpan<char> ApplyAll(ReadOnlySpan<TextNormalizer> normalizers, ReadOnlySpan<char> text, EncodingRun run)
    {
        TextBuffer target = run.Front;
        TextBuffer other = run.Back;
        foreach (TextNormalizer normalizer in normalizers)
        {
            if (text.IsEmpty) break;
            target.Clear();
            if (!normalizer.Normalize(text, target)) continue;
            text = target.Text;
            (target, other) = (other, target);
        }

        return text;
    }
}
