using System.Diagnostics;
using TensorCompress.Cli.Tests.TestKit;

namespace TensorCompress.Cli.Tests;

public sealed class BadInputTests
{
    [Theory]
    [InlineData("compress", "--method", "scalar", "-o", "out")]
    [InlineData("convert", "-o", "out")]
    [InlineData("verify")]
    [InlineData("inspect")]
    [InlineData("eval", "--text", "TEXT")]
    [InlineData("generate", "--prompt", "a")]
    [InlineData("tokenize", "--text", "a")]
    public void A_missing_model_is_a_bad_input(string verb, params string[] options) => AssertBad(verb, "missing.bin", options);

    [Theory]
    [InlineData("compress", "--method", "scalar", "-o", "out")]
    [InlineData("convert", "-o", "out")]
    [InlineData("verify")]
    [InlineData("generate", "--prompt-ids", "1")]
    public void A_truncated_model_is_a_bad_input(string verb, params string[] options)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.File("cut.bin"), File.ReadAllBytes(Stories.ModelFile)[..500_000]);
        AssertBad(verb, "cut.bin", options, folder);
    }

    [Theory]
    [InlineData("--method", "scalar")]
    [InlineData("--method", "mpo", "--chi", "8")]
    public void A_model_with_a_nan_is_a_bad_input(params string[] method)
    {
        using var folder = new TemporaryFolder();
        Stories.WriteWithNan(folder.File("nan.bin"));
        ToolResult result = AssertBad("compress", "nan.bin", ["-o", "out", .. method], folder);
        Assert.Contains("model.layers.0.self_attn.q_proj", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_vector_width_is_told_in_one_line()
    {
        var start = new ProcessStartInfo(ToolProcess.DotnetHost, [ToolProcess.AssemblyPath, "inspect", "--cpu"]);
        start.Environment["TENSORCOMPRESS_SIMD"] = "wide";
        Assert.Contains("512, 256, 128 or scalar", ToolProcess.Run(start).Fails(2).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_of_a_model_with_a_nan_names_the_place()
    {
        using var folder = new TemporaryFolder();
        Stories.WriteWithNan(folder.File("nan.bin"));
        ToolResult result = ToolProcess.Run("verify", folder.File("nan.bin"), "--json");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("\"passed\":false", result.Output, StringComparison.Ordinal);
        Assert.Contains("model.layers.0.self_attn.q_proj", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void One_changed_byte_of_a_compressed_model_is_found()
    {
        using var folder = new TemporaryFolder();
        CopyFolder(Stories.Scalar, folder.File("model"));
        string weights = Path.Combine(folder.File("model"), "model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^1000] ^= 0x10;
        File.WriteAllBytes(weights, bytes);
        ToolResult result = ToolProcess.Run("verify", folder.File("model"), "--json");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("\"passed\":false", result.Output, StringComparison.Ordinal);
        Assert.Contains("hashes", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_text_is_a_bad_input() => ToolProcess.Run("eval", Stories.Name, "--text", "no-such-text.txt").Fails(3);

    [Fact]
    public void A_missing_recipe_is_a_bad_input() => AssertBad("compress", Stories.Name, ["--recipe", "no-such-recipe.json", "-o", "out"]);

    [Fact]
    public void A_damaged_recipe_is_a_bad_input()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("recipe.json"), "{\"rules\": [");
        AssertBad("compress", Stories.Name, ["--recipe", folder.File("recipe.json"), "-o", "out"], folder);
    }

    [Fact]
    public void A_compressed_model_is_not_compressed_again() => AssertBad("compress", Stories.Scalar, ["--method", "scalar", "-o", "out"]);

    private static ToolResult AssertBad(string verb, string model, string[] options, TemporaryFolder? folder = null)
    {
        using var own = new TemporaryFolder();
        folder ??= own;
        string path = model.EndsWith(".bin", StringComparison.Ordinal) ? folder.File(model) : model;
        string[] before = folder.Names();
        string[] arguments = [verb, path, .. options.Select(option => option switch { "out" => folder.File("out"), "TEXT" => Stories.Texts, _ => option })];
        ToolResult result = ToolProcess.Run(arguments).Fails(3);
        Assert.Equal(before, folder.Names());
        return result;
    }

    private static void CopyFolder(string source, string destination)
    {
        Directory.CreateDirectory(destination);
        foreach (string file in Directory.GetFiles(source)) File.Copy(file, Path.Combine(destination, Path.GetFileName(file)));
    }
}
