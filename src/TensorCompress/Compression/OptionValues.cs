using System.Globalization;
using TensorCompress.Tensors;

namespace TensorCompress.Compression;

/// <summary>Reads named option values for one method; every message names the option, the value and what is allowed.</summary>
/// <param name="method">The method, for messages.</param>
/// <param name="values">Option names with values as text.</param>
internal sealed class OptionValues(ICompressionMethod method, IReadOnlyDictionary<string, string> values)
{
    private static readonly ElementType[] FloatTypes = [ElementType.F32, ElementType.F16, ElementType.BF16];

    /// <summary>Refuses names that the method does not list.</summary>
    /// <exception cref="ArgumentException">There is such a name.</exception>
    public void ThrowIfUnknown()
    {
        foreach (string name in values.Keys)
        {
            if (method.Options.Any(option => option.Name == name)) continue;
            throw new ArgumentException($"The method \"{method.Name}\" has no option \"{name}\"; it has {string.Join(", ", method.Options.Select(option => option.Name))}.", nameof(values));
        }
    }

    /// <summary>An integer, or null where it is not given.</summary>
    public int? Int32(string name)
    {
        if (!values.TryGetValue(name, out string? text)) return null;
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) ? value : throw Wrong(name, text, "an integer");
    }

    /// <summary>An integer that may be beyond 2^31, or null where it is not given.</summary>
    public long? Int64(string name)
    {
        if (!values.TryGetValue(name, out string? text)) return null;
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value : throw Wrong(name, text, "an integer");
    }

    /// <summary>A number, or null where it is not given.</summary>
    public double? Double(string name)
    {
        if (!values.TryGetValue(name, out string? text)) return null;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : throw Wrong(name, text, "a number");
    }

    /// <summary>A switch: false where it is not given, true where it is given without a value.</summary>
    public bool Switch(string name)
    {
        if (!values.TryGetValue(name, out string? text)) return false;
        return text switch
        {
            "" or "true" => true,
            "false" => false,
            _ => throw Wrong(name, text, "true or false"),
        };
    }

    /// <summary>Integers separated by commas, or null where they are not given.</summary>
    public int[]? Int32List(string name)
    {
        if (!values.TryGetValue(name, out string? text)) return null;
        return [.. text.Split(',').Select(entry =>
            int.TryParse(entry, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) ? value : throw Wrong(name, text, "integers separated by commas"))];
    }

    /// <summary>One of the names of an enumeration, in lower case, or null where it is not given.</summary>
    public TEnum? Choice<TEnum>(string name)
        where TEnum : struct, Enum
    {
        if (!values.TryGetValue(name, out string? text)) return null;
        string[] names = [.. Enum.GetNames<TEnum>().Select(known => known.ToLowerInvariant())];
        int index = Array.IndexOf(names, text);
        return index >= 0 ? Enum.GetValues<TEnum>()[index] : throw Wrong(name, text, "one of " + string.Join(", ", names));
    }

    /// <summary>Numbers separated by commas, or null where they are not given.</summary>
    public double[]? DoubleList(string name)
    {
        if (!values.TryGetValue(name, out string? text)) return null;
        return [.. text.Split(',').Select(entry =>
            double.TryParse(entry, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : throw Wrong(name, text, "numbers separated by commas"))];
    }

    /// <summary>A float type by its lower-case name, or null where it is not given.</summary>
    public ElementType? FloatType(string name, params ReadOnlySpan<ElementType> allowed)
    {
        if (!values.TryGetValue(name, out string? text)) return null;
        if (allowed.IsEmpty) allowed = FloatTypes;
        foreach (ElementType type in allowed)
        {
            if (text == Name(type)) return type;
        }

        throw Wrong(name, text, "one of " + string.Join(", ", allowed.ToArray().Select(Name)));
    }

    /// <summary>Refuses a share of the parameters outside (0, 1]; null is none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Outside.</exception>
    public static void ThrowIfNoShare(double? share)
    {
        if (share is not null && !(share > 0 && share <= 1)) throw new ArgumentOutOfRangeException(nameof(share), share, "A share is above 0 and at most 1.");
    }

    /// <summary>Refuses types that factors are not stored in.</summary>
    /// <exception cref="ArgumentException">Not F32, F16 or BF16.</exception>
    public static void ThrowIfNoFloatType(ElementType type, string what = "Factors")
    {
        if (!FloatTypes.Contains(type)) throw new ArgumentException($"{what} are F32, F16 or BF16, not {type.Name()}.", nameof(type));
    }

    /// <summary>The lower-case name of a type.</summary>
    public static string Name(ElementType type) => type.Name().ToLowerInvariant();

    /// <summary>A pair of name and value; numbers in the invariant culture.</summary>
    public static KeyValuePair<string, string> Pair(string name, IFormattable value) => new(name, value.ToString(null, CultureInfo.InvariantCulture));

    /// <summary>A pair of name and value.</summary>
    public static KeyValuePair<string, string> Pair(string name, string value) => new(name, value);

    private ArgumentException Wrong(string name, string text, string required) =>
        new($"Option \"{name}\" of the method \"{method.Name}\" is {required}, not \"{text}\".");
}
