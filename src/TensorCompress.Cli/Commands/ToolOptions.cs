using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using TensorCompress.Threading;

namespace TensorCompress.Cli.Commands;

/// <summary>Options that several verbs have, stated once.</summary>
internal static class ToolOptions
{
    /// <summary>One JSON object instead of text; on every verb.</summary>
    public static Option<bool> Json { get; } = new("--json") { Description = "Print one JSON object on standard output, and nothing else there.", Recursive = true };

    /// <summary>Stack traces of failures; on every verb.</summary>
    public static Option<bool> Verbose { get; } = new("--verbose") { Description = "Print the stack trace of a failure.", Recursive = true };

    public static Argument<string> Model() => Path<string>("MODEL", "Checkpoint folder, .gguf, llama2.c .bin, or stories260K (ships inside).");

    public static Option<string> Output(string description) => new("--output", "-o") { HelpName = "OUT", Description = description, Required = true };

    public static Option<string> TokenizerFile() => new("--tokenizer") { HelpName = "FILE", Description = "Tokenizer file or folder; default: the one beside the model." };

    public static Option<string> SystemMessage() => new("--system") { HelpName = "TEXT", Description = "What the model is told before the first message." };

    public static Option<int?> Threads() => Number<int?>("--threads", "N", "Threads; default: one per processor. Results do not depend on it.", Whole(1, 1024));

    public static Option<ulong?> Seed() => Number<ulong?>("--seed", "N", "Seed of whatever is random; default 0. The same seed gives the same result.", Whole(0ul, ulong.MaxValue));

    /// <summary>An argument for a path. What begins with a dash is a misspelt option and not a file (a file of such a name is written ./-name).</summary>
    public static Argument<T> Path<T>(string name, string description)
    {
        var argument = new Argument<T>(name) { Description = description };
        argument.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.Tokens[0].Value.StartsWith('-')) result.AddError($"there is no option {result.Tokens[0].Value}");
        });
        return argument;
    }

    /// <summary>The threads that a command line asks for.</summary>
    public static ComputePool Pool(int? threads) => threads is { } count ? new ComputePool(count) : ComputePool.Shared;

    /// <summary>An option whose text is parsed, numbers in the invariant culture, with a message that says what is allowed.</summary>
    /// <param name="name">Name with dashes.</param>
    /// <param name="valueName">What stands for the value in help.</param>
    /// <param name="description">One line for people.</param>
    /// <param name="parse">Parses and checks the text, or says what is required.</param>
    public static Option<T> Number<T>(string name, string valueName, string description, Func<string, (T Value, string? Required)> parse) => new(name)
    {
        HelpName = valueName,
        Description = description,
        CustomParser = argument => Parse(argument, name, parse),
    };

    /// <summary>Whole numbers of a range.</summary>
    public static Func<string, (T? Value, string? Required)> Whole<T>(T minimum, T maximum)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T> => text =>
            T.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out T value) && value >= minimum && value <= maximum
                ? (value, null)
                : (null, maximum == T.MaxValue ? $"a whole number from {minimum}" : $"a whole number from {minimum} to {maximum}");

    /// <summary>Decimal numbers; the range is checked by what they are for.</summary>
    public static Func<string, (float? Value, string? Required)> Decimal { get; } = text =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) ? (value, null) : (null, "a number");

    /// <summary>Token ids separated by commas.</summary>
    public static Func<string, (int[]? Value, string? Required)> Ids { get; } = text =>
    {
        string[] parts = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var ids = new int[parts.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out ids[i])) return (null, "token ids separated by commas");
        }

        return ids.Length > 0 ? (ids, null) : (null, "token ids separated by commas");
    };

    private static T? Parse<T>(ArgumentResult argument, string name, Func<string, (T Value, string? Required)> parse)
    {
        string text = argument.Tokens.Count > 0 ? argument.Tokens[0].Value : "";
        (T value, string? required) = parse(text);
        if (required is not null) argument.AddError($"{name} takes {required}, not \"{text}\"");
        return value;
    }
}
