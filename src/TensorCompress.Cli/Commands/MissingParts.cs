using System.CommandLine;
using TensorCompress.Cli.Terminal;

namespace TensorCompress.Cli.Commands;

/// <summary>Something that the tool's contract names and this version does not have: a verb, an option of a verb, or a value of an option.</summary>
/// <param name="Verb">The verb.</param>
/// <param name="Option">The option with its dashes; null where the whole verb is missing.</param>
/// <param name="Value">The one value that is missing, of an option that exists.</param>
internal sealed record MissingPart(string Verb, string? Option = null, string? Value = null);

/// <summary>The one list of missing parts. They are refused by name, so that nobody mistakes silence for obedience; what is added later loses its line here.</summary>
internal static class MissingParts
{
    public static IReadOnlyList<MissingPart> All { get; } =
    [
        new("profile"),
        new("heal"),
        new("serve"),
        new("train"),
        new("plan"),
        new("work"),
        new("merge"),
        new("compress", "--target-bits"),
        new("compress", "--target-size"),
        new("compress", "--max-memory"),
        new("eval", "--kv"),
        new("eval", "--save-plot"),
        new("generate", "--kv"),
    ];

    /// <summary>Makes the missing verbs and options known to the parser, hidden from help.</summary>
    public static void AddTo(RootCommand root)
    {
        foreach (MissingPart part in All)
        {
            if (part.Option is null) root.Add(new Command(part.Verb) { Hidden = true, TreatUnmatchedTokensAsErrors = false });
            else if (part.Value is null) Verb(root, part).Add(CreateOption(part));
        }
    }

    /// <exception cref="UsageException">The command line asks for a missing part.</exception>
    public static void Refuse(ParseResult arguments)
    {
        foreach (MissingPart part in All.Where(part => part.Verb == arguments.CommandResult.Command.Name))
        {
            if (part.Option is null) throw new UsageException($"the verb \"{part.Verb}\" is not part of this version");
            Option option = arguments.CommandResult.Command.Options.First(candidate => candidate.Name == part.Option);
            if (arguments.GetResult(option) is not { Implicit: false } given) continue;
            if (part.Value is null) throw new UsageException($"the option {part.Option} of {part.Verb} is not part of this version");
            if (given.Tokens.Any(token => token.Value == part.Value)) throw new UsageException($"{part.Option} {part.Value} of {part.Verb} is not part of this version");
        }
    }

    private static Command Verb(RootCommand root, MissingPart part) => root.Subcommands.First(verb => verb.Name == part.Verb);

    private static Option<string> CreateOption(MissingPart part) =>
        new(part.Option!) { Hidden = true, Arity = ArgumentArity.ZeroOrOne };
}
