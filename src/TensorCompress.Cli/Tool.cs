using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Reflection;
using System.Text.RegularExpressions;
using TensorCompress.Cli.Commands;
using TensorCompress.Cli.Terminal;

namespace TensorCompress.Cli;

/// <summary>The tool: parses the command line, runs the verb, and turns whatever goes wrong into one line and an exit code.</summary>
internal static partial class Tool
{
    private const string Description = """
        Compresses, measures and runs language models on a CPU.

        MODEL is a checkpoint folder, a .gguf file, a llama2.c .bin file, or the name of a model that ships inside: stories260K.
        Exit codes: 0 done, 1 failed, 2 wrong usage, 3 bad input file, 4 a bound (memory, disk) would be exceeded, 130 cancelled.
        """;

    /// <summary>The tool's version, without the commit that some builds append.</summary>
    public static string Version { get; } = typeof(Tool).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    public static async Task<int> RunAsync(string[] args)
    {
        // Texts such as "@home" are texts, not response files; "-abc" is no bundle of options.
        ParseResult arguments = CreateRoot().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        using var interruption = new Interruption();
        try
        {
            MissingParts.Refuse(arguments);
            if (arguments.Action is null or ParseErrorAction) throw new UsageException(FirstError(arguments));
            var configuration = new InvocationConfiguration
            {
                Output = ToolConsole.Out,
                Error = ToolConsole.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null, // signals are ours
            };
            return await arguments.InvokeAsync(configuration, interruption.Token).ConfigureAwait(false);
        }
        catch (Exception failure) // the outermost boundary: every failure becomes a line and an exit code
        {
            bool isVerbose = arguments.GetResult(ToolOptions.Verbose) is { Implicit: false };
            ToolConsole.Error.WriteLine("tensorcompress: " + (isVerbose ? failure.ToString() : Message(failure)));
            return ExitCode.Of(failure);
        }
    }

    private static RootCommand CreateRoot()
    {
        var root = new RootCommand(Description)
        {
            new DemoCommand(),
            new InspectCommand(),
            new CalibrateCommand(),
            new CompressCommand(),
            new EvalCommand(),
            new GenerateCommand(),
            new ChatCommand(),
            new TokenizeCommand(),
            new ConvertCommand(),
            new VerifyCommand(),
            new BenchCommand(),
        };
        root.HelpName = "tensorcompress"; // the assembly is named otherwise: beside TensorCompress.dll it could not have that name
        root.Add(ToolOptions.Json);
        root.Add(ToolOptions.Verbose);
        MissingParts.AddTo(root);
        return root;
    }

    private static string FirstError(ParseResult arguments)
    {
        Command command = arguments.CommandResult.Command;
        string verbs = string.Join(", ", command.Subcommands.Where(verb => !verb.Hidden).Select(verb => verb.Name));
        if (command is RootCommand) return arguments.UnmatchedTokens.Count > 0 ? $"\"{arguments.UnmatchedTokens[0]}\" is no verb; verbs: {verbs}" : $"a verb is required: {verbs}; see --help";
        ParseError error = arguments.Errors.FirstOrDefault(candidate => candidate.SymbolResult is ArgumentResult) ?? arguments.Errors[0]; // what a value lacks says more than what is left over
        return $"{error.Message.TrimEnd('.')}; see tensorcompress {command.Name} --help";
    }

    private static string Message(Exception failure)
    {
        if (failure is AggregateException { InnerException: { } inner }) return Message(inner);
        string message = failure switch
        {
            OperationCanceledException => "cancelled",
            InsufficientMemoryException told => told.Message,
            OutOfMemoryException => "there is not enough memory",
            ArgumentException => ParameterName().Replace(failure.Message, ""),
            _ => failure.Message,
        };
        return ToolConsole.OneLine(message);
    }

    // What .NET appends to messages for programmers: parameters of methods are not the user's.
    [GeneratedRegex(" \\(Parameter '[^']*'\\)")]
    private static partial Regex ParameterName();
}
