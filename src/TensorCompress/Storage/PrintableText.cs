using System.Globalization;
using System.Text;

namespace TensorCompress.Storage;

/// <summary>Text that came from a file, made fit for a message.</summary>
internal static class PrintableText
{
    /// <summary>Escapes what could move a terminal's cursor or reorder its text. Stops at the bound: a name may have a hundred megabytes.</summary>
    public static string Of(string text, int maximum)
    {
        var safe = new StringBuilder();
        foreach (char c in text)
        {
            if (char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
                safe.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else safe.Append(c);
            if (safe.Length > maximum) return safe.ToString(0, maximum - 3) + "...";
        }

        return safe.ToString();
    }
}
