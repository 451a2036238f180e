using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace TensorCompress.Cli.Tests.TestKit;

/// <summary>What a run of the tool left behind.</summary>
internal sealed record ToolResult(int ExitCode, string Output, string Error)
{
    /// <summary>The one JSON object on standard output; fails when there is anything else.</summary>
    public JsonElement Json()
    {
        Assert.True(ExitCode == 0, $"exit code {ExitCode}: {Error}");
        Assert.EndsWith("}\n", Output, StringComparison.Ordinal);
        Assert.Equal(1, Output.Count(character => character == '\n'));
        return JsonDocument.Parse(Output).RootElement;
    }

    /// <summary>Asserts the exit code and that the message is one line of our own.</summary>
    public ToolResult Fails(int exitCode)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode} instead of {exitCode}: {Output}{Error}");
        Assert.Equal("", Output);
        Assert.StartsWith("tensorcompress: ", Error, StringComparison.Ordinal);
        Assert.Equal(1, Error.Count(character => character == '\n'));
        return this;
    }

    /// <summary>Asserts that the run succeeded.</summary>
    public ToolResult Succeeds()
    {
        Assert.True(ExitCode == 0, $"exit code {ExitCode}: {Output}{Error}");
        return this;
    }
}

/// <summary>Runs programs, first of all the tool that was built with these tests.</summary>
internal static class ToolProcess
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    /// <summary>The built tool: in the artifacts folder beside the tests, in the same configuration.</summary>
    public static string AssemblyPath { get; } = FindTool();

    /// <summary>The program that runs .NET assemblies.</summary>
    public static string DotnetHost { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    /// <summary>Runs the tool to its end.</summary>
    public static ToolResult Run(params string[] arguments) => Run(new ProcessStartInfo(DotnetHost, [AssemblyPath, .. arguments]));

    /// <summary>Runs the tool with text on standard input.</summary>
    public static ToolResult RunWithInput(string input, params string[] arguments) => Run(new ProcessStartInfo(DotnetHost, [AssemblyPath, .. arguments]), input);

    /// <summary>Starts the tool without waiting; its output is thrown away.</summary>
    public static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(DotnetHost, [AssemblyPath, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        return process;
    }

    /// <summary>Runs any program to its end.</summary>
    public static ToolResult Run(ProcessStartInfo start, string? input = null)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.RedirectStandardInput = true;
        start.StandardOutputEncoding = start.StandardErrorEncoding = start.StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        if (input is not null) process.StandardInput.Write(input);
        process.StandardInput.Close();
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{string.Join(' ', start.ArgumentList)} took longer than {Limit}");
        }

        return new ToolResult(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }

    private static string FindTool()
    {
        var configuration = new DirectoryInfo(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)); // artifacts/bin/<project>/<configuration>
        string path = Path.Combine(configuration.Parent!.Parent!.FullName, "TensorCompress.Cli", configuration.Name, "TensorCompress.Cli.dll");
        return File.Exists(path) ? path : throw new FileNotFoundException("The tool is not built.", path);
    }
}
