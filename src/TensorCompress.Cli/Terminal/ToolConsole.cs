using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Spectre.Console;
using TensorCompress.Cli.Commands;

namespace TensorCompress.Cli.Terminal;

/// <summary>
/// Where a command writes: results to standard output (exactly one JSON object with <c>--json</c>), everything about the way there to standard error.
/// </summary>
internal sealed class ToolConsole
{
    /// <summary>Columns of tables where standard output is no terminal: wide enough that nothing is wrapped.</summary>
    private const int RedirectedWidth = 200;

    private ToolConsole(bool isJson)
    {
        IsJson = isJson;
    }

    /// <summary>Whether the result is a JSON object instead of text.</summary>
    public bool IsJson { get; }

    /// <summary>Standard output: UTF-8 without a byte order mark, line feeds only, on every system.</summary>
    public static TextWriter Out { get; } = Writer(Console.OpenStandardOutput());

    /// <summary>Standard error, likewise.</summary>
    public static TextWriter Error { get; } = Writer(Console.OpenStandardError());

    /// <summary>The console of a parsed command line.</summary>
    public static ToolConsole For(ParseResult arguments) => new(arguments.GetValue(ToolOptions.Json));

    /// <summary>Writes a line for people; with <c>--json</c> nothing.</summary>
    public void WriteLine(string text = "") => WriteText(text + "\n");

    /// <summary>Writes text for people at once, without a line end; with <c>--json</c> nothing.</summary>
    public void WriteText(string text)
    {
        if (!IsJson) Out.Write(text);
    }

    /// <summary>Writes a table for people; with <c>--json</c> nothing.</summary>
    public void Write(Table table)
    {
        if (IsJson) return;
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Out),
            Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect,
        });
        if (Console.IsOutputRedirected) console.Profile.Width = RedirectedWidth;
        console.Write(table);
    }

    /// <summary>Writes the result for programs, on one line; without <c>--json</c> nothing.</summary>
    public void WriteJson<T>(T result, JsonTypeInfo<T> type)
    {
        if (IsJson) Out.Write(JsonSerializer.Serialize(result, type) + "\n");
    }

    /// <summary>Tells what a user should know, on standard error.</summary>
    public static void Warn(IEnumerable<string> warnings)
    {
        foreach (string warning in warnings) Error.WriteLine("warning: " + OneLine(warning));
    }

    /// <summary>A message without line breaks.</summary>
    public static string OneLine(string message) => string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    private static StreamWriter Writer(Stream stream) => new(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true, NewLine = "\n" };
}
