using System.CommandLine;
using Spectre.Console;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Pipeline;

namespace TensorCompress.Cli.Commands;

/// <summary><c>verify</c>: whether a checkpoint is what it says.</summary>
internal sealed class VerifyCommand : ToolCommand
{
    private readonly Argument<string> _model = ToolOptions.Model();
    private readonly Option<int?> _threads = ToolOptions.Threads();

    public VerifyCommand()
        : base("verify", "Checks hashes, finite values, shapes, and the logits recorded when the model was compressed. Exit code 1 when a check fails.")
    {
        Add(_model);
        Add(_threads);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        string model = BundledModels.Resolve(arguments.GetRequiredValue(_model));
        VerificationReport report;
        using (var progress = new ProgressLine("verify"))
            report = CheckpointVerifier.Verify(model, ToolOptions.Pool(arguments.GetValue(_threads)), progress, cancellationToken);

        var table = new Table().Border(TableBorder.Simple).AddColumns("check", "result", "detail");
        foreach (VerificationCheck check in report.Checks) table.AddRow(new Text(check.Name), new Text(check.Passed ? "passed" : "FAILED"), new Text(check.Detail));
        console.Write(table);
        console.WriteJson(new VerificationJson(report.Passed, [.. report.Checks.Select(check => new CheckJson(check.Name, check.Passed, check.Detail))]), ToolJson.Output.VerificationJson);
        if (report.Passed) return ExitCode.Done;
        VerificationCheck failed = report.Checks.First(check => !check.Passed);
        ToolConsole.Error.WriteLine($"tensorcompress: the check \"{failed.Name}\" failed: {ToolConsole.OneLine(failed.Detail)}");
        return ExitCode.Failed;
    }
}
