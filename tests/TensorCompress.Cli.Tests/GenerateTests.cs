using System.Text.Json;
using TensorCompress.Cli.Tests.TestKit;

namespace TensorCompress.Cli.Tests;

public sealed class GenerateTests
{
    [Fact]
    public void Greedy_text_is_the_one_of_the_reference_program()
    {
        ToolResult result = ToolProcess.Run("generate", Stories.Name, "--prompt", "", "--max-tokens", "60").Succeeds();
        Assert.StartsWith("Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball.", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void New_text_keeps_the_blank_after_the_prompt()
    {
        ToolResult result = ToolProcess.Run("generate", Stories.Name, "--prompt", "Once upon a time, there was a little", "--max-tokens", "5", "--echo").Succeeds();
        Assert.Equal("Once upon a time, there was a little girl named Lily\n", result.Output);
    }

    [Fact]
    public void Same_seed_gives_the_same_text_and_another_seed_another()
    {
        string Text(string seed) => ToolProcess.Run("generate", Stories.Name, "--prompt", "One day", "--max-tokens", "40", "--temperature", "1", "--top-k", "50", "--top-p", "0.95", "--min-p", "0.01", "--seed", seed).Succeeds().Output;
        string first = Text("5");
        Assert.Equal(first, Text("5"));
        Assert.NotEqual(first, Text("6"));
    }

    [Fact]
    public void Stop_text_ends_the_text_before_it()
    {
        JsonElement result = ToolProcess.Run("generate", Stories.Name, "--prompt", "", "--max-tokens", "60", "--stop", "zebra", "--stop", "girl", "--json").Json();
        Assert.Equal("stopText", result.GetProperty("finishReason").GetString());
        Assert.Equal("Once upon a time, there was a little ", result.GetProperty("text").GetString());
    }

    [Fact]
    public void Context_bounds_prompt_and_text()
    {
        string ids = string.Join(',', Enumerable.Repeat("403", 510));
        JsonElement result = ToolProcess.Run("generate", Stories.Name, "--prompt-ids", "1," + ids, "--ignore-eos", "--json").Json();
        Assert.InRange(result.GetProperty("ids").GetArrayLength(), 1, 2);
        ToolProcess.Run("generate", Stories.Name, "--prompt-ids", "1,1,1," + ids).Fails(2);
    }

    [UnixFact]
    public void Reader_that_goes_away_is_no_crash()
    {
        string command = $"'{ToolProcess.DotnetHost}' '{ToolProcess.AssemblyPath}' generate {Stories.Name} --prompt '' --max-tokens 200 | head -c 5; exit ${{PIPESTATUS[0]}}";
        ToolResult result = ToolProcess.Run(new System.Diagnostics.ProcessStartInfo("bash", ["-c", command]));
        Assert.Equal(("Once ", ""), (result.Output, result.Error));
        Assert.Equal(0, result.ExitCode);
    }
}
