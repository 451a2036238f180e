using System.Diagnostics;
using TensorCompress.Cli.Tests.TestKit;

namespace TensorCompress.Cli.Tests;

public sealed class InterruptionTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [UnixFact]
    public void Killed_compression_leaves_no_output_and_a_second_run_succeeds()
    {
        using var folder = new TemporaryFolder();
        using (Process process = StartCompression(folder)) Stop(process, "KILL");
        Assert.False(Directory.Exists(folder.File("out")));

        ToolProcess.Run("compress", folder.File("large.bin"), "-o", folder.File("out"), "--method", "scalar").Succeeds();
        Assert.Equal(["large.bin", "out"], folder.Names());
        ToolProcess.Run("verify", folder.File("out")).Succeeds();
    }

    [UnixFact]
    public void Interrupted_compression_leaves_nothing()
    {
        using var folder = new TemporaryFolder();
        using Process process = StartCompression(folder);
        Task<string> error = process.StandardError.ReadToEndAsync();
        Stop(process, "INT");
        Assert.Equal(130, process.ExitCode);
        Assert.EndsWith("tensorcompress: cancelled\n", error.GetAwaiter().GetResult(), StringComparison.Ordinal);
        Assert.Equal(["large.bin"], folder.Names());
    }

    // Returns when the job is in the middle: the folder in the making has its first tensor.
    private static Process StartCompression(TemporaryFolder folder)
    {
        Stories.WriteLarge(folder.File("large.bin"));
        Process process = ToolProcess.Start("compress", folder.File("large.bin"), "-o", folder.File("out"), "--method", "mpo", "--chi", "64");
        var clock = Stopwatch.StartNew();
        while (!folder.Names().Any(name => name.Contains("partial", StringComparison.Ordinal)))
        {
            Assert.True(clock.Elapsed < Patience && !process.HasExited, "the compression did not begin");
            Thread.Sleep(5);
        }

        return process;
    }

    private static void Stop(Process process, string signal)
    {
        ToolProcess.Run(new ProcessStartInfo("kill", ["-" + signal, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)])).Succeeds();
        Assert.True(process.WaitForExit(Patience), $"the tool did not end on {signal}");
        process.WaitForExit();
    }
}
