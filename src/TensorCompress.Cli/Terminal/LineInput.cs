using System.Text;

namespace TensorCompress.Cli.Terminal;

/// <summary>Lines of standard input, after a prompt where a person types them. Waiting for a line can be cancelled.</summary>
internal static class LineInput
{
    private const string Prompt = "> ";

    // Never closed: that would wait for the line that is being read.
    private static readonly StreamReader Reader = new(Console.OpenStandardInput(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));

    /// <summary>The next line; null at the end.</summary>
    public static string? Read(CancellationToken cancellationToken)
    {
        if (!Console.IsInputRedirected) ToolConsole.Error.Write(Prompt);
        // The system's call cannot be cancelled; the thread that waits in it ends with the process.
        return Task.Run(Reader.ReadLine, CancellationToken.None).WaitAsync(cancellationToken).GetAwaiter().GetResult();
    }
}
