using System.Text.Json;
using TensorCompress.Cli.Tests.TestKit;

namespace TensorCompress.Cli.Tests;

public sealed class JsonTests
{
    private static readonly string[] EvaluationFields =
        ["accuracy", "bitsPerWeight", "linearBitsPerWeight", "loss", "perplexity", "perplexityStandardError", "storedBytes", "tokens", "tokensPerSecond"];

    [Fact]
    public void Eval_has_exactly_the_fields_of_the_contract()
    {
        JsonElement result = ToolProcess.Run(["eval", Stories.Name, .. Stories.Evaluation]).Json();
        AssertFields(result, EvaluationFields);
        Assert.Equal(Math.Exp(result.GetProperty("loss").GetDouble()), result.GetProperty("perplexity").GetDouble(), 9);
        Assert.Equal(new FileInfo(Stories.ModelFile).Length, result.GetProperty("storedBytes").GetInt64());
        Assert.InRange(result.GetProperty("perplexity").GetDouble(), 3.5, 6.5);
    }

    [Fact]
    public void Eval_with_a_reference_adds_kl_and_agreement()
    {
        JsonElement result = ToolProcess.Run(["eval", Stories.Scalar, "--reference", Stories.Name, .. Stories.Evaluation]).Json();
        AssertFields(result, [.. EvaluationFields, "kl", "topAgreement"]);
        AssertFields(result.GetProperty("kl"), "mean", "median", "p99", "p999");
    }

    [Fact]
    public void Eval_of_one_text_counts_scored_tokens_of_whole_windows()
    {
        JsonElement result = ToolProcess.Run("eval", Stories.Name, "--text", Stories.Texts, "--context", "128", "--max-tokens", "400", "--json").Json();
        Assert.Equal(3 * 127, result.GetProperty("tokens").GetInt64());
    }

    [Fact]
    public void Compress_has_exactly_the_fields_of_the_contract()
    {
        using var folder = new TemporaryFolder();
        ToolResult run = ToolProcess.Run("compress", Stories.Name, "-o", folder.File("out"), "--method", "scalar", "--bits", "3", "--group", "32", "--symmetric", "--json");
        JsonElement result = run.Json();
        AssertFields(result, "layers", "peakBytes", "seconds", "storedBytes");
        JsonElement[] layers = [.. result.GetProperty("layers").EnumerateArray()];
        Assert.Equal(35, layers.Length);
        foreach (JsonElement layer in layers)
        {
            AssertFields(layer, "bitsPerWeight", "method", "name", "outputError", "relativeError", "seconds", "storedBytes");
            Assert.Equal(3 + 16.0 / 32, layer.GetProperty("bitsPerWeight").GetDouble(), 0.4); // rows of 172 leave a shorter last group
        }

        Assert.Equal(new FileInfo(Path.Combine(folder.File("out"), "model.safetensors")).Length, result.GetProperty("storedBytes").GetInt64());
    }

    [Fact]
    public void Compress_says_where_bonds_were_cut_to_their_cap()
    {
        using var folder = new TemporaryFolder();
        JsonElement result = ToolProcess.Run("compress", Stories.Name, "-o", folder.File("out"), "--method", "mpo", "--chi", "100000", "--json").Json();
        Assert.All(result.GetProperty("layers").EnumerateArray(), layer => Assert.Contains("the most it can use", layer.GetProperty("choices").GetString(), StringComparison.Ordinal));
        Assert.Contains(result.GetProperty("layers").EnumerateArray(), layer => layer.GetProperty("choices").GetString()!.EndsWith("; 200 % of the dense parameters", StringComparison.Ordinal));
    }

    [Fact]
    public void Generate_has_exactly_the_fields_of_the_contract()
    {
        JsonElement result = ToolProcess.Run("generate", Stories.Name, "--prompt", "Once", "--max-tokens", "5", "--seed", "9", "--json").Json();
        AssertFields(result, "finishReason", "ids", "promptIds", "seed", "text");
        Assert.Equal(5, result.GetProperty("ids").GetArrayLength());
        Assert.Equal("length", result.GetProperty("finishReason").GetString());
        Assert.Equal(9, result.GetProperty("seed").GetInt32());
    }

    [Fact]
    public void Generate_gives_log_probabilities_of_new_tokens_and_of_the_prompt()
    {
        JsonElement result = ToolProcess.Run(
            "generate", Stories.Name, "--prompt-ids", "1,403,407", "--max-tokens", "4", "--logprobs", "3", "--echo", "--json").Json();
        AssertFields(result, "finishReason", "ids", "logprobs", "promptIds", "promptLogprobs", "seed", "text");
        JsonElement[] made = [.. result.GetProperty("logprobs").EnumerateArray()], prompt = [.. result.GetProperty("promptLogprobs").EnumerateArray()];
        Assert.Equal((4, 3), (made.Length, prompt.Length));
        AssertFields(made[0][0], "id", "logprob");
        Assert.Equal(result.GetProperty("ids")[0].GetInt32(), made[0][0].GetProperty("id").GetInt32()); // greedy takes the best
        Assert.Equal(prompt[2].GetRawText(), made[0].GetRawText());
        Assert.True(made[0][0].GetProperty("logprob").GetDouble() < 0);
    }

    [Fact]
    public void Inspect_tells_methods_and_sizes()
    {
        JsonElement dense = ToolProcess.Run("inspect", Stories.Name, "--json").Json();
        Assert.Equal(260_032, dense.GetProperty("parameters").GetInt64());
        Assert.Equal("llama2.c", dense.GetProperty("format").GetString());
        Assert.All(dense.GetProperty("layers").EnumerateArray(), layer => Assert.Equal("dense", layer.GetProperty("method").GetString()));

        JsonElement type = Assert.Single(dense.GetProperty("tensorTypes").EnumerateArray());
        Assert.Equal("F32", type.GetProperty("type").GetString());
        Assert.Equal(dense.GetProperty("tensors").GetArrayLength(), type.GetProperty("tensors").GetInt32());
        Assert.Equal(JsonValueKind.Null, dense.GetProperty("chatTemplates").ValueKind);

        JsonElement compressed = ToolProcess.Run("inspect", Stories.Scalar, "--cpu", "--json").Json();
        Assert.All(compressed.GetProperty("layers").EnumerateArray(), layer => Assert.Equal("scalar", layer.GetProperty("method").GetString()));
        Assert.True(compressed.GetProperty("cpu").GetProperty("logicalCores").GetInt32() > 0);
    }

    [Fact]
    public void Inspect_explains_one_layer_with_a_picture_of_its_spectra()
    {
        const string Layer = "model.layers.0.mlp.up_proj";
        JsonElement compressed = ToolProcess.Run("inspect", Stories.Mpo, "--layer", Layer, "--json").Json();
        Assert.Equal((Layer, "mpo"), (compressed.GetProperty("layer").GetString(), compressed.GetProperty("facts").GetProperty("method").GetString()));
        double[] values = [.. compressed.GetProperty("spectra")[0].GetProperty("values").EnumerateArray().Select(value => value.GetDouble())];
        Assert.True(values.Length > 1 && values.SequenceEqual(values.OrderDescending()));
        string text = ToolProcess.Run("inspect", Stories.Mpo, "--layer", Layer).Succeeds().Output;
        foreach (string part in new[] { "entanglement entropy", "relative error", "multiplies", "█" }) Assert.Contains(part, text, StringComparison.Ordinal);
        Assert.Contains("singular values", ToolProcess.Run("inspect", Stories.Name, "--layer", Layer).Succeeds().Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Inspect_tells_what_the_cpu_offers()
    {
        JsonElement cpu = ToolProcess.Run("inspect", "--cpu", "--json").Json();
        AssertFields(cpu, "architecture", "caches", "hardwareVectorWidth", "instructionSets", "kernels", "logicalCores", "name", "vectorWidth");
        Assert.True(cpu.GetProperty("kernels").EnumerateObject().Any());
        Assert.All(cpu.GetProperty("caches").EnumerateArray(), cache => Assert.True(cache.GetProperty("level").GetInt32() > 0 && cache.GetProperty("bytes").GetInt64() > 1024));
        string text = ToolProcess.Run("inspect", "--cpu").Succeeds().Output;
        foreach (JsonProperty kernel in cpu.GetProperty("kernels").EnumerateObject()) Assert.Contains(kernel.Name, text, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_lists_its_checks()
    {
        JsonElement result = ToolProcess.Run("verify", Stories.Scalar, "--json").Json();
        AssertFields(result, "checks", "passed");
        Assert.True(result.GetProperty("passed").GetBoolean());
        Assert.All(result.GetProperty("checks").EnumerateArray(), check => Assert.True(check.GetProperty("passed").GetBoolean()));
        Assert.Contains("logits", result.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public void Bench_has_exactly_the_fields_of_the_contract()
    {
        JsonElement result = ToolProcess.Run("bench", Stories.Name, "--prompt-tokens", "9", "--generate-tokens", "4", "--repetitions", "2", "--threads", "1", "--json").Json();
        string[] fields =
        [
            "additionsPerToken", "bytesPerToken", "cpuSecondsPerToken", "decodeTokensPerSecond", "modelBytes", "multiplicationsPerToken", "peakBytes", "prefillTokensPerSecond", "threads",
        ];
        AssertFields(result, result.TryGetProperty("joulesPerToken", out _) ? [.. fields, "joulesPerToken"] : fields);
        Assert.All(fields, field => Assert.True(result.GetProperty(field).GetDouble() > 0, field));
        Assert.Equal(1, result.GetProperty("threads").GetInt32());
        string text = ToolProcess.Run("bench", Stories.Name, "--repetitions", "1").Succeeds().Output;
        foreach (string part in new[] { "tokens/s over 128 tokens", "generation", "multiplications", "processor time" }) Assert.Contains(part, text, StringComparison.Ordinal);
    }

    [Fact]
    public void Convert_names_what_it_made()
    {
        using var folder = new TemporaryFolder();
        AssertFields(ToolProcess.Run("convert", Stories.Name, "-o", folder.File("out"), "--json").Json(), "bitsPerWeight", "output", "seconds", "storedBytes", "type");
    }

    private static void AssertFields(JsonElement value, params string[] names) =>
        Assert.Equal(names.Order(StringComparer.Ordinal), value.EnumerateObject().Select(property => property.Name).Order(StringComparer.Ordinal));
}
