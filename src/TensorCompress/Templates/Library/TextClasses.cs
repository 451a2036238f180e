using System.Globalization;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Library;

/// <summary>Classes of the characters of a text, by index, as Python's texts ask for them.</summary>
internal static class TextClasses
{
    public static bool IsLetter(string text, int index) => CharUnicodeInfo.GetUnicodeCategory(text, index) is
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter;

    public static bool IsDecimal(string text, int index) => CharUnicodeInfo.GetUnicodeCategory(text, index) == UnicodeCategory.DecimalDigitNumber;

    // Superscripts and digits in circles too.
    public static bool IsDigit(string text, int index) => CharUnicodeInfo.GetDigitValue(text, index) >= 0;

    public static bool IsNumeric(string text, int index) => CharUnicodeInfo.GetNumericValue(text, index) >= 0;

    public static bool IsAlphanumeric(string text, int index) => IsLetter(text, index) || IsDecimal(text, index) || IsDigit(text, index) || IsNumeric(text, index);

    public static bool HasCased(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (PythonCharacters.IsCased(text, i)) return true;
        }

        return false;
    }
}
