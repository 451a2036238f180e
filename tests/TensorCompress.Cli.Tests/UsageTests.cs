using TensorCompress.Cli.Tests.TestKit;

namespace TensorCompress.Cli.Tests;

public sealed class UsageTests
{
    // Verbs, options and values of the contract that this version does not have, each with a command line that would otherwise be right.
    public static TheoryData<string, string> MissingParts => new()
    {
        { "profile", "profile stories260K --calibration text.txt -o out" },
        { "heal", "heal stories260K --reference a --data b -o out" },
        { "serve", "serve stories260K --urls http" },
        { "train", "train --text a -o out" },
        { "plan", "plan" },
        { "work", "work" },
        { "merge", "merge" },
        { "--calibration-tokens", "compress stories260K -o out --method scalar --calibration-tokens 9" },
        { "--context", "compress stories260K -o out --method scalar --context 9" },
        { "--target-bits", "compress stories260K -o out --target-bits 4" },
        { "--target-size", "compress stories260K -o out --target-size 100000" },
        { "--max-memory", "compress stories260K -o out --method scalar --max-memory 1000" },
        { "--kv", "eval stories260K --text a.txt --kv q8" },
        { "--save-plot", "eval stories260K --text a.txt --save-plot p.svg" },
        { "--kv", "generate stories260K --prompt a --kv q8/q8" },
    };

    public static TheoryData<string, string> WrongUsage => new()
    {
        { "verb", "" },
        { "nonsense", "nonsense" },
        { "MODEL", "eval --text a.txt" },
        { "--text", "eval stories260K" },
        { "--output", "compress stories260K --method scalar" },
        { "--method", "compress stories260K -o out" },
        { "exclude", "compress stories260K -o out --method scalar --recipe r.json" },
        { "--preset", "compress stories260K -o out --method dbf --preset dbf --bits 2" },
        { "nothing", "compress stories260K -o out --method nothing" },
        { "\"small\"; there are dbf", "compress stories260K -o out --preset small --bits 2" },
        { "middle dimension", "compress stories260K -o out --preset dbf" },
        { "--chi", "compress stories260K -o out --preset dbf --bits 2 --chi 8" },
        { "the least is", "compress stories260K -o out --preset dbf --bits 0.1" },
        { "--chi", "compress stories260K -o out --method scalar --bits 4 --chi 8" },
        { "--bits", "compress stories260K -o out --method mpo --chi 8 --bits 4 --head scalar:8" },
        { "the most is 2048", "compress stories260K -o out --method dbf --middle 2100" },
        { "exclude each other", "compress stories260K -o out --method dbf --middle 4 --bits 1" },
        { "--signs takes high, fast or exact", "bench stories260K --signs loud" },
        { "--signs", "eval stories260K --text a.txt --signs 8" },
        { "--activations f32 means exact", "chat stories260K --activations f32 --signs fast" },
        { "--activations f32 means exact", "generate stories260K --prompt a --activations f32 --signs fast" },
        { "--bitz", "compress stories260K -o out --method scalar --bitz 4" },
        { "bits", "compress stories260K -o out --method scalar --bits 77" },
        { "METHOD:BITS", "compress stories260K -o out --method scalar --head 8" },
        { "--bits", "compress stories260K -o out --method scalar --head mpo:8" },
        { "no option", "compress stories260K -o out --method scalar --head mpo:bits=8" },
        { "--head", "compress stories260K -o out --recipe r.json --head scalar:8" },
        { "--joint", "compress stories260K -o out --recipe r.json --joint" },
        { "--threads", "verify stories260K --threads 0" },
        { "--seed", "compress stories260K -o out --method scalar --seed -1" },
        { "--context", "eval stories260K --text a.txt --context 1" },
        { "--documents", "eval stories260K --text a.txt --max-documents 2" },
        { "--max-documents", "eval stories260K --text a.txt --documents X --max-tokens 100" },
        { "--prompt", "generate stories260K" },
        { "--prompt", "generate stories260K --prompt a --prompt-ids 1" },
        { "--prompt-ids", "generate stories260K --prompt-ids 1,x" },
        { "512", "generate stories260K --prompt-ids 1,512 --max-tokens 1" },
        { "temperature", "generate stories260K --prompt a --temperature -1" },
        { "--temperature", "generate stories260K --prompt a --temperature 0,8" },
        { "--decode", "tokenize stories260K --text a --decode 1" },
        { "--type", "convert stories260K -o out --type f8" },
        { "--to", "convert stories260K -o out --to onnx" },
        { "--cpu", "inspect" },
        { "--detail", "inspect --detail" },
        { "nowhere", "inspect stories260K --layer nowhere" },
        { "b", "verify a b" },
        { "512", "bench stories260K --prompt-tokens 500 --generate-tokens 13" },
        { "--repetitions", "bench stories260K --repetitions 0" },
    };

    [Theory]
    [MemberData(nameof(MissingParts))]
    public void What_this_version_lacks_is_refused_by_name(string name, string commandLine) => AssertRefused(name, commandLine);

    [Theory]
    [MemberData(nameof(WrongUsage))]
    public void Wrong_usage_is_one_line_that_names_the_fault(string name, string commandLine) => AssertRefused(name, commandLine);

    [Fact]
    public void Stack_traces_come_only_with_verbose()
    {
        ToolResult plain = ToolProcess.Run("convert", Stories.Name, "-o", "out", "--type", "f8").Fails(2);
        ToolResult verbose = ToolProcess.Run("convert", Stories.Name, "-o", "out", "--type", "f8", "--verbose");
        Assert.DoesNotContain("   at ", plain.Error, StringComparison.Ordinal);
        Assert.Contains("   at TensorCompress.Cli", verbose.Error, StringComparison.Ordinal);
        Assert.Equal(2, verbose.ExitCode);
    }

    [Fact]
    public void Failures_with_json_leave_standard_output_empty() => ToolProcess.Run("eval", "no-such-model", "--text", Stories.Texts, "--json").Fails(3);

    private static void AssertRefused(string name, string commandLine)
    {
        using var folder = new TemporaryFolder();
        string[] arguments = [.. commandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => word == "out" ? folder.File("out") : word)];
        ToolResult result = ToolProcess.Run(arguments).Fails(2);
        Assert.Contains(name, result.Error, StringComparison.Ordinal);
        Assert.Empty(folder.Names());
    }
}
