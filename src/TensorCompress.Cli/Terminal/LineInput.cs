using System.Text;

namespace TensorCompress.Cli.Terminal;

/// <summary>Lines of standard input, after a prompt where a person types them. Waiting for a line can be cancelled.</summary>
internal sealed class LineInput
{
    private const string Prompt = "> ";

    private readonly StreamReader _reader = new(Console.OpenStandardInput(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
    private readonly bool _isTerminal = !Console.IsInputRedirected;

    /// <summary>The next line; null at the end.</summary>
    public string? Read(CancellationToken cancellationToken)
    {
        if (_isTerminal) ToolConsole.Error.Write(Prompt);
        // The system's call cannot be cancelled; the thread that waits in it ends with the process.
        return Task.Run(_reader.ReadLine, CancellationToken.None).WaitAsync(cancellationToken).GetAwaiter().GetResult();
    }
}
