using System.Text.Json;

namespace TensorCompress.Tokenization.Splitting;

/// <summary>Sets numbers (<c>\p{N}</c>) apart from the rest: each one alone, or runs of them.</summary>
internal sealed record DigitSplit(bool IndividualDigits) : SplitRule
{
    public const string JsonType = "Digits";

    public override int NextEnd(ReadOnlySpan<char> part, int start)
    {
        CharacterClass first = CharacterClasses.At(part, start, out int length);
        int end = start + length;
        if (first == CharacterClass.Number) return IndividualDigits ? end : CharacterClasses.EndOfRun(part, end, CharacterClass.Number);
        while (end < part.Length && CharacterClasses.At(part, end, out length) != CharacterClass.Number) end += length;
        return end;
    }

    public override void WriteJson(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", JsonType);
        json.WriteBoolean("individual_digits", IndividualDigits);
        json.WriteEndObject();
    }
}
