using TensorCompress.Cli.Tests.TestKit;

namespace TensorCompress.Cli.Tests;

public sealed class HelpTests
{
    private static readonly string[] Names = ["demo", "inspect", "compress", "eval", "generate", "chat", "tokenize", "convert", "verify", "bench"];

    public static TheoryData<string> Verbs => new(Names);

    [Fact]
    public void Help_lists_every_verb_and_the_exit_codes()
    {
        ToolResult result = ToolProcess.Run("--help").Succeeds();
        foreach (string verb in Names) Assert.Contains($"\n  {verb} ", result.Output, StringComparison.Ordinal);
        Assert.Contains("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 bad input file, 4 a bound", result.Output, StringComparison.Ordinal);
        Assert.Contains("tensorcompress [command]", result.Output, StringComparison.Ordinal);
        Assert.Equal("", result.Error);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Help_of_a_verb_shows_its_usage(string verb)
    {
        ToolResult result = ToolProcess.Run(verb, "--help").Succeeds();
        Assert.Contains($"tensorcompress {verb}", result.Output, StringComparison.Ordinal);
        Assert.Contains("--json", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Help_of_compress_lists_the_options_of_every_method()
    {
        string help = ToolProcess.Run("compress", "--help").Succeeds().Output;
        foreach (Compression.ICompressionMethod method in Compression.CompressionMethods.All)
        {
            Assert.Contains(method.Name + " (", help, StringComparison.Ordinal);
            foreach (Compression.MethodOption option in method.Options) Assert.Contains($"  --{option.Name} ", help, StringComparison.Ordinal);
        }

        Assert.All(Pipeline.CompressionPreset.All, preset => Assert.Contains(preset.Name + " (", help[help.IndexOf("--preset", StringComparison.Ordinal)..], StringComparison.Ordinal));
    }

    [Fact]
    public void Version_is_one_line() => Assert.Matches("^[0-9]+[.][0-9]+[.][0-9]+.*\n$", ToolProcess.Run("--version").Succeeds().Output);
}
