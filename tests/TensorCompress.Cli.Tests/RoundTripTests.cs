using System.Text.Json;
using TensorCompress.Cli.Tests.TestKit;

namespace TensorCompress.Cli.Tests;

public sealed class RoundTripTests
{
    [Fact]
    public void Scalar_model_goes_through_every_verb() => AssertRound(Stories.Scalar, "scalar", maxKl: 0.3);

    [Fact]
    public void Mpo_model_goes_through_every_verb() => AssertRound(Stories.Mpo, "mpo", maxKl: 2);

    [Fact]
    public void Preset_of_signs_goes_through_every_verb()
    {
        using var folder = new TemporaryFolder();
        string output = folder.File("out");
        string[] calibration = ["--calibration", Stories.Texts, "--calibration-tokens", "1024"];
        JsonElement made = ToolProcess.Run(["compress", Stories.Name, "-o", output, "--preset", "dbf", "--bits", "3", .. calibration, "--json"]).Json();
        Assert.All(made.GetProperty("layers").EnumerateArray(), layer =>
        {
            bool isEmbedding = layer.GetProperty("name").GetString() == "model.embed_tokens";
            Assert.Equal(isEmbedding ? "scalar" : "dbf", layer.GetProperty("method").GetString());
            Assert.InRange(layer.GetProperty("bitsPerWeight").GetDouble(), 2.8, isEmbedding ? 5 : 3);
        });
        AssertRound(output, "dbf", maxKl: 1.5);
        string layer = ToolProcess.Run("inspect", output, "--layer", "model.layers.0.mlp.gate_proj").Succeeds().Output;
        Assert.Contains("middle dimension", layer, StringComparison.Ordinal);
        Assert.Contains("sign bits", layer, StringComparison.Ordinal);
    }

    [Fact]
    public void Embedding_and_head_as_an_operator_go_through_every_verb()
    {
        using var folder = new TemporaryFolder();
        string output = folder.File("out"), dense = folder.File("dense");
        JsonElement made = ToolProcess.Run("compress", Stories.Name, "-o", output, "--method", "scalar", "--bits", "6", "--head", "mpo:share=0.97:cores=f16", "--json").Json();
        Assert.Equal("mpo", made.GetProperty("layers").EnumerateArray().Single(layer => layer.GetProperty("name").GetString() == "model.embed_tokens").GetProperty("method").GetString());
        AssertRound(output, "mpo", maxKl: 1);
        Assert.Contains("bond", ToolProcess.Run("inspect", output, "--layer", "model.embed_tokens").Succeeds().Output, StringComparison.Ordinal);
        ToolProcess.Run("convert", output, "-o", dense).Succeeds();
        Assert.InRange(ToolProcess.Run(["eval", output, "--reference", dense, "--activations", "f32", .. Stories.Evaluation]).Json().GetProperty("kl").GetProperty("mean").GetDouble(), -1e-4, 1e-4);
    }

    [Fact]
    public void Products_of_signs_have_the_precision_that_is_asked_for()
    {
        using var folder = new TemporaryFolder();
        string signs = folder.File("signs"), dense = folder.File("dense");
        ToolProcess.Run("compress", Stories.Name, "-o", signs, "--method", "dbf", "--middle", "40", "--solver", "8/1/0.03/3/1/2/0/0/1//0/0/0").Succeeds();
        ToolProcess.Run("convert", signs, "-o", dense).Succeeds();
        double Divergence(params string[] options) =>
            ToolProcess.Run(["eval", signs, "--reference", dense, "--text", Stories.Texts, "--max-tokens", "512", "--json", .. options]).Json().GetProperty("kl").GetProperty("mean").GetDouble();

        double exact = Divergence("--signs", "exact"), high = Divergence("--signs", "high"), fast = Divergence("--signs", "fast");
        Assert.True(Math.Abs(exact) < high && high < 0.1 * fast, $"{exact}, {high} and {fast}");
        Assert.Equal(high, Divergence());
        Assert.Equal(exact, Divergence("--activations", "f32"));
        foreach (string[] verb in new string[][] { ["bench", signs, "--prompt-tokens", "2", "--generate-tokens", "2", "--repetitions", "1"], ["generate", signs, "--prompt", "Once", "--max-tokens", "2"] })
            ToolProcess.Run([.. verb, "--signs", "fast"]).Succeeds();
    }

    [Fact]
    public void Statistics_are_collected_once_and_used_by_methods()
    {
        using var folder = new TemporaryFolder();
        string statistics = folder.File("statistics.safetensors");
        JsonElement collected = ToolProcess.Run("calibrate", Stories.Name, "--text", Stories.Texts, "-o", statistics, "--tokens", "2048", "--context", "256", "--json").Json();
        Assert.Equal((36, 2048), (collected.GetProperty("layers").GetInt32(), collected.GetProperty("tokens").GetInt32()));
        foreach (string[] source in new string[][] { [statistics], [Stories.Texts, "--calibration-tokens", "1024", "--context", "128", "--prefix", "dense"] })
        {
            string output = folder.File($"out{source.Length}");
            JsonElement made = ToolProcess.Run(["compress", Stories.Name, "-o", output, "--method", "lowrank", "--share", "0.5", "--calibration", .. source, "--json"]).Json();
            Assert.All(made.GetProperty("layers").EnumerateArray(), layer => Assert.InRange(layer.GetProperty("outputError").GetDouble(), 0.001, 1));
            ToolProcess.Run("verify", output).Succeeds();
        }

        JsonElement[] errors = [.. new[] { "0", "0.5", "1" }.Select(shrinkage =>
            ToolProcess.Run("compress", Stories.Name, "-o", folder.File("shrunk" + shrinkage), "--method", "lowrank", "--share", "0.5", "--calibration", statistics, "--shrinkage", shrinkage, "--json").Json())];
        double[] sums = [.. errors.Select(made => made.GetProperty("layers").EnumerateArray().Sum(layer => layer.GetProperty("outputError").GetDouble()))];
        Assert.True(sums[0] < sums[1] && sums[1] < sums[2], string.Join(", ", sums)); // errors by the whole moments, of which less and less is known
        ToolProcess.Run("compress", Stories.Name, "-o", folder.File("no"), "--method", "scalar", "--calibration", statistics, "--shrinkage", "1.5").Fails(2);
        ToolProcess.Run("compress", Stories.Name, "-o", folder.File("no"), "--method", "scalar", "--shrinkage", "0.5").Fails(2);
        ToolProcess.Run("compress", Stories.Name, "-o", folder.File("no"), "--method", "scalar", "--prefix", "dense").Fails(2);
        ToolProcess.Run("compress", Stories.Name, "-o", folder.File("no"), "--method", "scalar", "--calibration", Stories.Texts, "--prefix", "sparse").Fails(2);
        ToolProcess.Run("compress", Stories.Name, "-o", folder.File("no"), "--method", "scalar", "--calibration", Stories.Texts, "--target", "stars").Fails(2);
        ToolProcess.Run("compress", Stories.Name, "-o", folder.File("no"), "--method", "scalar", "--calibration", Stories.Texts, "--prefix", "dense", "--target", "outputs").Fails(2);
        ToolProcess.Run("calibrate", Stories.Name, "--text", Stories.Texts, "-o", folder.File("no.txt")).Fails(2);
        Assert.False(Directory.Exists(folder.File("no")));
    }

    [Fact]
    public void Recipe_gives_each_layer_its_method()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder.File("recipe.json"),
            """{"rules": [{"match": "model.layers.*.mlp.*", "method": "scalar", "bits": 3, "group": 32}, {"match": "*.q_proj", "method": "mpo", "chi": 8}]}""");
        JsonElement made = ToolProcess.Run("compress", Stories.Name, "-o", folder.File("out"), "--recipe", folder.File("recipe.json"), "--json").Json();
        JsonElement[] layers = [.. made.GetProperty("layers").EnumerateArray()];
        Assert.Equal(15, layers.Count(layer => layer.GetProperty("method").GetString() == "scalar"));
        Assert.Equal(5, layers.Count(layer => layer.GetProperty("method").GetString() == "mpo"));
        ToolProcess.Run("verify", folder.File("out")).Succeeds();
    }

    [Fact]
    public void Output_is_never_overwritten()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("out"));
        File.WriteAllText(Path.Combine(folder.File("out"), "precious.txt"), "mine");
        ToolProcess.Run("compress", Stories.Name, "-o", folder.File("out"), "--method", "scalar").Fails(2);
        ToolProcess.Run("convert", Stories.Name, "-o", folder.File("out")).Fails(2);
        Assert.Equal(["out"], folder.Names());
        Assert.Equal("mine", File.ReadAllText(Path.Combine(folder.File("out"), "precious.txt")));
    }

    [Fact]
    public void Threads_do_not_change_a_byte()
    {
        using var folder = new TemporaryFolder();
        foreach (string threads in new[] { "1", "2" })
            ToolProcess.Run("compress", Stories.Name, "-o", folder.File(threads), "--method", "mpo", "--chi", "24", "--threads", threads).Succeeds();
        foreach (string file in Directory.GetFiles(folder.File("1")))
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(folder.File("2"), Path.GetFileName(file))));
        Assert.Equal(Directory.GetFiles(folder.File("1")).Length, Directory.GetFiles(folder.File("2")).Length);
    }

    [Theory]
    [InlineData("f32", 0)]
    [InlineData("bf16", 2e-2)]
    public void Converted_model_predicts_like_its_source(string type, double tolerance)
    {
        using var folder = new TemporaryFolder();
        ToolProcess.Run("convert", Stories.Name, "-o", folder.File("out"), "--type", type).Succeeds();
        double source = ToolProcess.Run(["eval", Stories.Name, .. Stories.Evaluation]).Json().GetProperty("loss").GetDouble();
        double converted = ToolProcess.Run(["eval", folder.File("out"), .. Stories.Evaluation]).Json().GetProperty("loss").GetDouble();
        Assert.Equal(source, converted, tolerance);
        Assert.True(File.Exists(Path.Combine(folder.File("out"), "config.json")));
    }

    [Fact]
    public void Gguf_file_predicts_like_its_source_and_a_compressed_model_becomes_one()
    {
        using var folder = new TemporaryFolder();
        JsonElement made = ToolProcess.Run("convert", Stories.Name, "-o", folder.File("f32.gguf"), "--to", "gguf", "--type", "f32", "--json").Json();
        Assert.Equal("f32", made.GetProperty("type").GetString());
        Assert.Equal(new FileInfo(folder.File("f32.gguf")).Length, made.GetProperty("storedBytes").GetInt64());
        ToolProcess.Run("convert", Stories.Scalar, "-o", folder.File("q8_0.gguf"), "--to", "gguf", "--type", "q8_0").Succeeds();
        JsonElement inspected = ToolProcess.Run("inspect", folder.File("q8_0.gguf"), "--json").Json();
        Assert.Equal("Q8_0", inspected.GetProperty("tensorTypes")[0].GetProperty("type").GetString());
        Assert.Contains("quantised", inspected.GetProperty("warnings").GetRawText(), StringComparison.Ordinal);
        ToolProcess.Run("convert", Stories.Name, "-o", folder.File("f32.gguf"), "--to", "gguf").Fails(2);

        ToolProcess.Run("convert", folder.File("f32.gguf"), "-o", folder.File("back"), "--type", "f32").Succeeds();
        string[] ids = [.. new[] { Stories.Name, folder.File("back") }.Select(model =>
            ToolProcess.Run("generate", model, "--prompt-ids", "1,403,407,261,378", "--max-tokens", "24", "--temperature", "0", "--json").Json().GetProperty("ids").GetRawText())];
        Assert.Equal(ids[0], ids[1]);
    }

    [Fact]
    public void Compressed_model_becomes_dense_again()
    {
        using var folder = new TemporaryFolder();
        ToolProcess.Run("convert", Stories.Mpo, "-o", folder.File("out")).Succeeds();
        JsonElement compared = ToolProcess.Run(["eval", folder.File("out"), "--reference", Stories.Mpo, .. Stories.Evaluation]).Json();
        Assert.InRange(compared.GetProperty("kl").GetProperty("mean").GetDouble(), 0, 1e-6);
        Assert.DoesNotContain("quantization_config", File.ReadAllText(Path.Combine(folder.File("out"), "config.json")), StringComparison.Ordinal);
    }

    private static void AssertRound(string model, string method, double maxKl)
    {
        ToolProcess.Run("verify", model).Succeeds();
        JsonElement quality = ToolProcess.Run(["eval", model, "--reference", Stories.Name, .. Stories.Evaluation]).Json();
        Assert.InRange(quality.GetProperty("kl").GetProperty("mean").GetDouble(), 1e-6, maxKl);
        Assert.InRange(quality.GetProperty("bitsPerWeight").GetDouble(), 1, 31);
        ToolResult text = ToolProcess.Run("generate", model, "--prompt", "Once upon a time", "--max-tokens", "20", "--echo").Succeeds();
        Assert.StartsWith("Once upon a time", text.Output, StringComparison.Ordinal);
        Assert.Contains(method, ToolProcess.Run("inspect", model).Succeeds().Output, StringComparison.Ordinal);
    }
}
