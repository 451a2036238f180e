using System.Text.Json;
using TensorCompress.Cli.Tests.TestKit;

namespace TensorCompress.Cli.Tests;

public sealed class TokenizeTests
{
    private const string Text = "Once upon a time, Zoë said “héllo” 🐢\n\tto Tim.";

    [Fact]
    public void Text_survives_the_round_trip()
    {
        JsonElement encoded = ToolProcess.Run("tokenize", Stories.Name, "--text", Text, "--json").Json();
        int[] ids = [.. encoded.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        Assert.Equal(["ids", "pieces"], encoded.EnumerateObject().Select(property => property.Name));
        Assert.Equal(1, ids[0]); // BOS
        Assert.Equal(ids.Length, encoded.GetProperty("pieces").GetArrayLength());

        JsonElement decoded = ToolProcess.Run("tokenize", Stories.VocabularyFile, "--decode", string.Join(',', ids), "--json").Json();
        Assert.Equal(Text, decoded.GetProperty("text").GetString());
    }

    [Fact]
    public void Json_lines_give_a_line_each()
    {
        string input = "{\"text\":\"Once\"}\n\n{\"text\":\"Once\",\"addSpecialTokens\":false}\n{\"ids\":[1,403,407],\"special\":true}\n";
        ToolResult result = ToolProcess.RunWithInput(input, "tokenize", Stories.Scalar, "--json").Succeeds();
        JsonElement[] lines = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(3, lines.Length);
        Assert.Equal(lines[0].GetProperty("ids").EnumerateArray().Skip(1).Select(id => id.GetInt32()), lines[1].GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
        Assert.True(lines[2].TryGetProperty("text", out _));
    }

    [Theory]
    [InlineData("not json\n", "line 1")]
    [InlineData("{\"text\":\"a\"}\n{}\n", "line 2")]
    [InlineData("{\"text\":\"a\",\"ids\":[1]}\n", "line 1")]
    public void Wrong_lines_are_named(string input, string place)
    {
        ToolResult result = ToolProcess.RunWithInput(input, "tokenize", Stories.Name);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(place, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Id_outside_the_vocabulary_is_refused() => ToolProcess.Run("tokenize", Stories.Name, "--decode", "512").Fails(2);
}
