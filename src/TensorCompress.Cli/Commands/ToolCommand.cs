using System.CommandLine;
using TensorCompress.Cli.Terminal;

namespace TensorCompress.Cli.Commands;

/// <summary>A verb: declares what it takes and runs it. What it computes is the library's.</summary>
internal abstract class ToolCommand : Command
{
    protected ToolCommand(string name, string description)
        : base(name, description)
    {
        SetAction((arguments, cancellationToken) => Task.Run(() => Run(arguments, ToolConsole.For(arguments), cancellationToken), CancellationToken.None));
    }

    /// <summary>Runs the verb.</summary>
    /// <param name="arguments">The parsed command line.</param>
    /// <param name="console">Where results go.</param>
    /// <param name="cancellationToken">Cancelled by Ctrl-C.</param>
    /// <returns>The exit code.</returns>
    protected abstract int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken);
}
