using System.CommandLine;
using TensorCompress.Cli.Terminal;
using TensorCompress.Compression;
using TensorCompress.Models;
using TensorCompress.Pipeline;

namespace TensorCompress.Cli.Commands;

/// <summary>
/// The part of <c>compress</c> that says which layer gets which method: <c>--method</c> or <c>--preset</c> with the options of all methods in the list, <c>--head</c>, or <c>--recipe</c>.
/// </summary>
internal sealed class MethodChoice
{
    private const string BitsOption = "bits";

    private readonly Option<string> _method = new("--method")
    {
        HelpName = "METHOD",
        Description = "Method for the linear layers of the blocks: " + string.Join("; ", CompressionMethods.All.Select(method => $"{method.Name} ({method.Description.TrimEnd('.')})")) + ".",
    };

    private readonly Option<string> _preset = new("--preset")
    {
        HelpName = "NAME",
        Description = "Methods that go together, in place of --method, with the options of the first: " + string.Join("; ", CompressionPreset.All.Select(preset => $"{preset.Name} ({preset.Description})")) + ".",
    };

    private readonly Option<string> _head = new("--head")
    {
        HelpName = "METHOD:BITS",
        Description = "Method for embedding and head, for instance scalar:8, or with options of its own mpo:share=0.5:cores=f16; default: they stay dense, or are as the preset has them. With bits alone the other options apply where that method knows them.",
    };

    private readonly Option<bool> _joint = new("--joint")
    {
        Description = "Compress layers of the blocks that have the same input (queries, keys and values; gate and up) as one matrix, so that they share what a method keeps for the inputs (dbf, lowrank: the right factor).",
    };

    private readonly Option<string> _recipe = new("--recipe") { HelpName = "FILE", Description = "JSON file with a rule per group of layers, in place of --method." };

    // Options of several methods with the same name are one option on the command line.
    private readonly Dictionary<string, Option> _methodOptions = CompressionMethods.All
        .SelectMany(method => method.Options.Select(option => (Method: method, Option: option)))
        .GroupBy(entry => entry.Option.Name)
        .ToDictionary(group => group.Key, group => CreateOption([.. group]));

    /// <summary>Everything that the command line may say about methods.</summary>
    public IEnumerable<Option> Options => [_method, _preset, .. _methodOptions.Values, _joint, _head, _recipe];

    /// <summary>Refuses what contradicts itself, before any file is touched.</summary>
    /// <exception cref="UsageException">There is none of method, preset and recipe, or more than one, or an option that has no method to go to.</exception>
    /// <exception cref="NotSupportedException">There is no such method or preset.</exception>
    /// <exception cref="ArgumentException">An option is unknown to its method, or out of range.</exception>
    public Func<ModelDefinition, CompressionRecipe> Parse(ParseResult arguments)
    {
        string? method = arguments.GetValue(_method), presetName = arguments.GetValue(_preset), head = arguments.GetValue(_head), recipe = arguments.GetValue(_recipe);
        Dictionary<string, string> given = Given(arguments);
        string[] ways = [.. new[] { (_method, method), (_preset, presetName), (_recipe, recipe) }.Where(way => way.Item2 is not null).Select(way => way.Item1.Name)];
        if (ways.Length > 1) throw new UsageException($"{string.Join(" and ", ways)} exclude each other");
        bool isJoint = arguments.GetValue(_joint);
        if (recipe is not null && isJoint) throw new UsageException("--joint and --recipe exclude each other: give a rule \"joint\": true");
        if (recipe is not null) return ParseRecipe(recipe, head, given);
        if (ways.Length == 0) throw new UsageException($"--method is required ({string.Join(", ", CompressionMethods.All.Select(known => known.Name))}), or --preset NAME, or --recipe FILE");

        CompressionPreset? preset = presetName is null ? null : CompressionPreset.Get(presetName);
        ICompressionMethod chosen = preset?.Method ?? CompressionMethods.Get(method!);
        (MethodOptions? headOptions, IReadOnlyList<string> used) = head is null ? (null, []) : ParseHead(head, given);
        foreach (string name in given.Keys)
        {
            if (!Knows(chosen, name) && !used.Contains(name)) throw new UsageException($"the method {chosen.Name} has no option --{name}; it has {OptionNames(chosen)}");
        }

        MethodOptions options = chosen.ParseOptions(Known(chosen, given));
        return definition => preset?.Recipe(definition, options, headOptions, isJoint) ?? CompressionRecipes.ForBlocks(definition, options, headOptions, isJoint);
    }

    private static Func<ModelDefinition, CompressionRecipe> ParseRecipe(string file, string? head, Dictionary<string, string> given)
    {
        if (head is not null) throw new UsageException("--head and --recipe exclude each other: give embedding and head a rule");
        if (given.Count > 0) throw new UsageException($"--{given.Keys.First()} has no method to go to: with --recipe, options stand in its rules");
        CompressionRecipe recipe = CompressionRecipe.Parse(File.ReadAllBytes(file), file);
        return _ => recipe;
    }

    /// <summary>Options of <c>METHOD:BITS</c>, with what else is given where the method knows it, or of <c>METHOD:NAME=VALUE:...</c>, and the names that are used of what is given.</summary>
    private static (MethodOptions Options, IReadOnlyList<string> Used) ParseHead(string text, Dictionary<string, string> given)
    {
        if (text.Contains('=', StringComparison.Ordinal)) return (CompressionMethods.ParseOptions(text), []);
        string[] parts = text.Split(':');
        if (parts.Length != 2 || parts.Any(part => part.Length == 0))
            throw new UsageException($"--head takes METHOD:BITS, for instance scalar:8, or METHOD:NAME=VALUE, for instance mpo:share=0.5, not \"{text}\"");
        ICompressionMethod method = CompressionMethods.Get(parts[0]);
        if (!Knows(method, BitsOption)) throw new UsageException($"the method {method.Name} has no option --{BitsOption}; in --head its options are named, {method.Name}:NAME=VALUE, and it has {OptionNames(method)}");
        var known = new Dictionary<string, string>(Known(method, given)) { [BitsOption] = parts[1] };
        return (method.ParseOptions(known), [.. known.Keys.Where(name => name != BitsOption)]);
    }

    private Dictionary<string, string> Given(ParseResult arguments)
    {
        var given = new Dictionary<string, string>();
        foreach ((string name, Option option) in _methodOptions)
        {
            if (arguments.GetResult(option) is not { Implicit: false } result) continue;
            given.Add(name, result.Tokens.Count > 0 ? result.Tokens[0].Value : "true");
        }

        return given;
    }

    private static Dictionary<string, string> Known(ICompressionMethod method, Dictionary<string, string> given) =>
        given.Where(entry => Knows(method, entry.Key)).ToDictionary(entry => entry.Key, entry => entry.Value);

    private static bool Knows(ICompressionMethod method, string option) => method.Options.Any(known => known.Name == option);

    private static string OptionNames(ICompressionMethod method) => method.Options.Count == 0 ? "none" : string.Join(", ", method.Options.Select(option => "--" + option.Name));

    private static Option CreateOption((ICompressionMethod Method, MethodOption Option)[] entries)
    {
        MethodOption first = entries[0].Option;
        string description = string.Join(" ", entries.Select(entry => $"{entry.Method.Name}: {entry.Option.Description}"));
        if (first.ValueName is null) return new Option<bool>("--" + first.Name) { Description = description };
        return new Option<string>("--" + first.Name) { HelpName = first.ValueName, Description = description };
    }
}
