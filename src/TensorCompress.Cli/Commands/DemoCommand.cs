using System.CommandLine;
using System.Runtime.InteropServices;
using Spectre.Console;
using TensorCompress.Cli.Demonstration;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Kernels.Simd;
using TensorCompress.Threading;

namespace TensorCompress.Cli.Commands;

/// <summary><c>demo</c>: the main job on the model that ships inside, with a report.</summary>
internal sealed class DemoCommand : ToolCommand
{
    private readonly Option<string> _output = new("--output", "-o")
    {
        HelpName = "FILE",
        Description = "HTML report to write; replaced if it exists.",
        DefaultValueFactory = _ => "tensorcompress-demo.html",
    };

    private readonly Option<int?> _threads = ToolOptions.Threads();

    public DemoCommand()
        : base("demo", "Compresses the model that ships inside with every method, measures each result, and writes a report. Takes about a minute.")
    {
        Add(_output);
        Add(_threads);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        string output = arguments.GetRequiredValue(_output);
        if (Directory.Exists(output)) throw new UsageException($"{output} is a folder; -o takes the HTML file to write");
        if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } folder && !Directory.Exists(folder)) throw new UsageException($"there is no folder {folder} to write the report to");
        ComputePool pool = ToolOptions.Pool(arguments.GetValue(_threads));

        DemonstrationResult result;
        var clock = System.Diagnostics.Stopwatch.StartNew();
        using (var progress = new ProgressLine("demo"))
        {
            void Report(double share, string what) => progress.Report(share, what, share > 0 ? clock.Elapsed * ((1 - share) / share) : null);
            result = new DemonstrationRun(pool, Report, cancellationToken).Run();
        }

        ReplaceFile(output, DemonstrationPage.Create(result, Origin(output, pool)));
        Describe(console, result);
        console.WriteLine($"Report: {output} ({Figures.Seconds(clock.Elapsed)})");
        console.WriteJson(ToJson(output, result), ToolJson.Output.DemonstrationJson);
        return ExitCode.Done;
    }

    private static void Describe(ToolConsole console, DemonstrationResult result)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach ((string name, bool isNumber) in DemonstrationTable.Columns) table.AddColumn(isNumber ? new TableColumn(name).RightAligned() : new TableColumn(name));
        foreach (DemonstrationRow row in result.Rows) table.AddRow(DemonstrationTable.Cells(row).Select(cell => new Text(cell)));
        console.Write(table);
        console.WriteLine(DemonstrationTable.Caption(result));
        console.WriteLine();
        console.WriteLine("Dense: " + result.DenseText);
        console.WriteLine();
        console.WriteLine($"{result.Chosen.Method} ({result.Chosen.Options}): {result.CompressedText}");
        console.WriteLine();
    }

    private static ReportOrigin Origin(string output, ComputePool pool)
    {
        CpuDescription cpu = CpuDescription.Current();
        string sets = string.Join(", ", cpu.InstructionSets.Where(set => set.IsSupported).Select(set => set.Name));
        return new ReportOrigin(
            $"{cpu.Name} ({cpu.Architecture}, {cpu.LogicalCores} logical cores, {pool.Threads} threads; {sets})",
            $"tensorcompress demo -o {Path.GetFileName(output)}",
            $"TensorCompress {Tool.Version}, {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}");
    }

    // The report appears whole or not at all.
    private static void ReplaceFile(string path, string text)
    {
        string partial = path + ".partial";
        try
        {
            File.WriteAllText(partial, text);
            File.Move(partial, path, overwrite: true);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    private static DemonstrationJson ToJson(string output, DemonstrationResult result) => new(
        output,
        [
            .. result.Rows.Select(row => new DemonstrationRowJson(
                row.Method, row.Options, row.BitsPerWeight, row.StoredBytes, row.Perplexity, row.PerplexityStandardError, row.Kl, row.TokensPerSecond)),
        ],
        result.DenseText, result.CompressedText, $"{result.Chosen.Method}, {result.Chosen.Options}");
}
