using System.Text.Json;
using System.Text.RegularExpressions;
using TensorCompress.Storage;

namespace TensorCompress.Compression;

/// <summary>One rule of a recipe.</summary>
/// <param name="Match">Layer name with <c>*</c> for any characters and <c>?</c> for one; a trailing <c>.weight</c> is accepted and ignored.</param>
/// <param name="Options">Method and options for the layers that it matches.</param>
public sealed record RecipeRule(string Match, MethodOptions Options)
{
    /// <summary>
    /// Whether neighbouring layers that the rule is for and that have the same input (queries, keys and values; gate and up) are compressed as one matrix, stacked by rows: what a method keeps for the
    /// inputs, a right factor or a codebook, is stored once for all of them.
    /// </summary>
    public bool IsJoint { get; init; }

    /// <summary>Whether the rule is for a layer.</summary>
    public bool Matches(string layer)
    {
        string pattern = Match.EndsWith(".weight", StringComparison.Ordinal) ? Match[..^".weight".Length] : Match;
        string expression = "^" + Regex.Escape(pattern).Replace(@"\*", ".*", StringComparison.Ordinal).Replace(@"\?", ".", StringComparison.Ordinal) + "$";
        return Regex.IsMatch(layer, expression, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.Singleline);
    }
}

/// <summary>Which method each layer gets: the first rule that matches a layer wins; a layer without a rule stays as it is.</summary>
/// <param name="Rules">The rules, in order.</param>
public sealed record CompressionRecipe(IReadOnlyList<RecipeRule> Rules)
{
    private const int MaxFileBytes = 16 << 20;
    private const string JointKey = "joint";

    /// <summary>Reads a recipe: <c>{"rules": [{"match": "model.layers.*.mlp.*", "method": "mpo", "chi": 16}, {"match": "*", "method": "dense"}]}</c>.</summary>
    /// <param name="utf8">The file's bytes.</param>
    /// <param name="file">Its path, for messages.</param>
    /// <exception cref="TensorFormatException">It is not such a file, a method or option is unknown, or a value out of range.</exception>
    public static CompressionRecipe Parse(ReadOnlyMemory<byte> utf8, string? file = null)
    {
        if (utf8.Length > MaxFileBytes) throw new TensorFormatException(TensorFormatError.Limit, $"a recipe of {utf8.Length} bytes; at most {MaxFileBytes} are read", file);
        using JsonDocument document = JsonDocuments.Parse(utf8, file);
        if (!document.RootElement.TryGetProperty("rules", out JsonElement rules) || rules.ValueKind != JsonValueKind.Array)
            throw new TensorFormatException(TensorFormatError.Structure, "a recipe is an object with an array \"rules\"", file);
        return new CompressionRecipe([.. rules.EnumerateArray().Select((rule, index) => ParseRule(rule, index, file))]);
    }

    /// <summary>The options for each layer that a rule matches.</summary>
    /// <exception cref="ArgumentException">A rule matches no layer.</exception>
    public IReadOnlyDictionary<string, MethodOptions> Resolve(IEnumerable<string> layers)
    {
        string[] names = [.. layers];
        foreach (RecipeRule rule in Rules)
        {
            if (!names.Any(rule.Matches))
                throw new ArgumentException($"The rule \"{rule.Match}\" matches no layer; layers are named like {string.Join(", ", names.Take(3))}.", nameof(layers));
        }

        var resolved = new Dictionary<string, MethodOptions>();
        foreach (string name in names)
        {
            if (FindRule(name) is { } rule) resolved.Add(name, rule.Options);
        }

        return resolved;
    }

    /// <summary>The rule for a layer: the first that matches it, or null.</summary>
    public RecipeRule? FindRule(string layer) => Rules.FirstOrDefault(rule => rule.Matches(layer));

    private static RecipeRule ParseRule(JsonElement rule, int index, string? file)
    {
        if (rule.ValueKind != JsonValueKind.Object) throw new TensorFormatException(TensorFormatError.Structure, $"rule {index} is not an object", file);
        string? match = null;
        string? method = null;
        bool isJoint = false;
        var values = new Dictionary<string, string>();
        foreach (JsonProperty property in rule.EnumerateObject())
        {
            string text = Text(property.Value)
                ?? throw new TensorFormatException(TensorFormatError.Structure, $"rule {index}: \"{property.Name}\" is neither text, number, truth value, list nor a method with options", file);
            if (property.Name == "match") match = text;
            else if (property.Name == "method") method = text;
            else if (property.Name == JointKey) isJoint = text == "true" || (text == "false" ? false : throw new TensorFormatException(TensorFormatError.Value, $"rule {index}: \"{JointKey}\" is true or false, not \"{text}\"", file));
            else values.Add(property.Name, text);
        }

        if (match is null || method is null) throw new TensorFormatException(TensorFormatError.Structure, $"rule {index} lacks \"match\" or \"method\"", file);
        try
        {
            return new RecipeRule(match, CompressionMethods.Get(method).ParseOptions(values)) { IsJoint = isJoint };
        }
        catch (NotSupportedException fault)
        {
            throw new TensorFormatException(TensorFormatError.Unsupported, $"rule {index}: {fault.Message}", file, innerException: fault);
        }
        catch (ArgumentException fault)
        {
            throw new TensorFormatException(TensorFormatError.Value, $"rule {index}: {fault.Message}", file, innerException: fault);
        }
    }

    /// <summary>A value as the command line has it: lists by commas, a method with options as <see cref="MethodOptions.ToText"/> writes it, several of them by +; null for anything else.</summary>
    private static string? Text(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                return value.GetString();
            case JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False:
                return value.GetRawText();
            case JsonValueKind.Array:
                string?[] elements = [.. value.EnumerateArray().Select(Text)];
                bool areMethods = value.EnumerateArray().Any(element => element.ValueKind == JsonValueKind.Object);
                return elements.Contains(null) ? null : string.Join(areMethods ? '+' : ',', elements);
            case JsonValueKind.Object when value.TryGetProperty("method", out JsonElement method) && method.ValueKind == JsonValueKind.String:
                string?[] options = [.. value.EnumerateObject().Where(option => option.Name != "method").Select(option => Text(option.Value) is { } text ? $":{option.Name}={text}" : null)];
                return options.Contains(null) ? null : method.GetString() + string.Concat(options);
            default:
                return null;
        }
    }
}
