using System.Text;
using TensorCompress.Compression;
using TensorCompress.Compression.Sum;
using TensorCompress.Fuzz;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Pipeline;

/// <summary>A job that is begun again takes over the layers that are done, and ends with the same bytes.</summary>
public sealed class FinishedLayersTests
{
    private const string Steps = "dbf:bits=2:solver=4/2/0.05/1.2/1/1/0/1/2/0.4/0.06/1/0";

    private static readonly string ModelPath = TestFiles.Golden("stories260K/stories260K.bin");

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void An_interrupted_job_goes_on_where_it_was(bool withTexts, bool isJoint)
    {
        using var folder = new TemporaryFolder();
        string output = folder.Combine("out"), whole = folder.Combine("whole"), kept = folder.Combine(".out.layers");
        CompressionJobOptions job = Job(withTexts, isJoint: isJoint);
        ModelCompressor.Compress(ModelPath, whole, job);
        Assert.Equal(["whole"], Names(folder)); // an output that is whole needs no layers beside it

        using (var source = new CancellationTokenSource())
        {
            var stop = new Told(progress =>
            {
                if (progress.UnitsDone == 6) source.Cancel();
            });
            Assert.ThrowsAny<OperationCanceledException>(() => ModelCompressor.Compress(ModelPath, output, job, stop, source.Token));
        }

        string[] files = [.. Directory.GetFiles(kept).Order()];
        Assert.InRange(files.Length, 6, 7);
        File.WriteAllBytes(files[0], File.ReadAllBytes(files[0])[..100]); // damaged: made again
        var made = new HashSet<string>();
        int layers = ModelCompressor.Compress(ModelPath, output, job, new Told(progress => Note(progress, made))).Layers.Count;
        Assert.Equal(layers - files.Length + 1, made.Count);
        Assert.Equal(["out", "whole"], Names(folder));
        foreach (string name in new[] { "model.safetensors", "config.json" })
            Assert.Equal(File.ReadAllBytes(Path.Combine(whole, name)), File.ReadAllBytes(Path.Combine(output, name)));
    }

    [Fact]
    public void Layers_of_other_options_or_of_a_restart_are_not_taken_over()
    {
        using var folder = new TemporaryFolder();
        string output = folder.Combine("out");
        foreach (CompressionJobOptions again in new[] { Job(false) with { Seed = 1 }, Job(false, Steps.Replace("bits=2", "bits=3", StringComparison.Ordinal)), Job(true), Job(false) with { Restart = true } })
        {
            using var source = new CancellationTokenSource();
            var stop = new Told(progress =>
            {
                if (progress.UnitsDone == 3) source.Cancel();
            });
            Assert.ThrowsAny<OperationCanceledException>(() => ModelCompressor.Compress(ModelPath, output, Job(false), stop, source.Token));
            var made = new HashSet<string>();
            Assert.Equal(ModelCompressor.Compress(ModelPath, output, again, new Told(progress => Note(progress, made))).Layers.Count, made.Count);
            Directory.Delete(output, recursive: true);
        }
    }

    [Fact]
    public void A_quick_layer_is_not_kept()
    {
        using var folder = new TemporaryFolder();
        using var source = new CancellationTokenSource();
        var stop = new Told(progress =>
        {
            if (progress.UnitsDone == 3) source.Cancel();
        });
        CompressionJobOptions job = Job(false) with { LeastTimeToKeep = TimeSpan.FromHours(1) };
        Assert.ThrowsAny<OperationCanceledException>(() => ModelCompressor.Compress(ModelPath, folder.Combine("out"), job, stop, source.Token));
        Assert.Empty(Names(folder));
    }

    [Fact]
    public void Options_that_one_matrix_cannot_meet_are_refused_before_another_is_compressed()
    {
        using var folder = new TemporaryFolder();
        var recipe = new CompressionRecipe([
            new RecipeRule("model.layers.0.self_attn.k_proj", CompressionMethods.ParseOptions("dbf:bits=0.5")),
            new RecipeRule("model.layers.0.self_attn.q_proj", new SumOptions([CompressionMethods.ParseOptions("dbf:bits=0.5"), CompressionMethods.ParseOptions("lowrank:rank=2")])),
            new RecipeRule("model.layers.*", CompressionMethods.ParseOptions("dbf:bits=2"))]);
        foreach (CompressionRecipe one in new[] { recipe, recipe with { Rules = [.. recipe.Rules.Skip(1)] } })
        {
            var told = new Told(_ => Assert.Fail("a layer was begun"));
            ArgumentException fault = Assert.Throws<ArgumentException>(() => ModelCompressor.Compress(ModelPath, folder.Combine("out"), new CompressionJobOptions { Recipe = one }, told));
            Assert.Contains("the least is", fault.Message, StringComparison.Ordinal);
            Assert.Contains("_proj (", fault.Message, StringComparison.Ordinal);
        }

        Assert.Empty(Names(folder));
    }

    [Theory]
    [InlineData("qet:bits=6:subspaces=16:layers=0", "172 columns do not divide into 16 groups")]
    [InlineData("qet:bits=6:subspaces=4:layers=3", "172 columns do not divide by 8")]
    [InlineData("qet:bits=0.1:subspaces=4:layers=0", "at least")]
    public void Column_groups_that_do_not_fit_one_matrix_are_refused_before_another_is_compressed(string method, string why)
    {
        using var folder = new TemporaryFolder();
        var told = new Told(_ => Assert.Fail("a layer was begun"));
        ArgumentException fault = Assert.Throws<ArgumentException>(() => ModelCompressor.Compress(ModelPath, folder.Combine("out"), Job(withTexts: true, method), told));
        Assert.Contains(why, fault.Message, StringComparison.Ordinal);
        Assert.Matches("^model.layers.0.*_proj [(][0-9]+ x [0-9]+[)]: ", fault.Message);
        Assert.Empty(Names(folder));
    }

    [Fact]
    public void A_matrix_that_a_method_does_not_support_is_refused_before_another_is_compressed()
    {
        const string Configuration =
            """{"model_type":"llama","vocab_size":32,"hidden_size":16,"intermediate_size":1028,"num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":64,"rms_norm_eps":1e-5,"tie_word_embeddings":true}""";
        using var folder = new TemporaryFolder();
        string model = folder.Combine("dense");
        Directory.CreateDirectory(model);
        File.WriteAllText(Path.Combine(model, "config.json"), Configuration);
        File.WriteAllBytes(Path.Combine(model, CheckpointWriter.WeightsFile), TinyModels.Weights(Encoding.UTF8.GetBytes(Configuration)));
        var job = new CompressionJobOptions { Recipe = new CompressionRecipe([new RecipeRule("model.layers.0.mlp.*", CompressionMethods.ParseOptions("qet:bits=32:subspaces=4:layers=0:rotate=learnt"))]) };
        string message = Assert.Throws<ArgumentException>(() => ModelCompressor.Compress(model, folder.Combine("out"), job, new Told(_ => Assert.Fail("a layer was begun")))).Message;
        Assert.StartsWith("model.layers.0.mlp.down_proj (16 x 1028): ", message, StringComparison.Ordinal);
        Assert.Equal(["dense"], Names(folder));
    }

    private static CompressionJobOptions Job(bool withTexts, string method = Steps, bool isJoint = false)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(ModelPath);
        return new CompressionJobOptions
        {
            Recipe = CompressionRecipes.ForBlocks(checkpoint.Definition, CompressionMethods.ParseOptions(method), isJoint: isJoint),
            Calibration = withTexts ? new CalibrationOptions { Windows = [[.. Enumerable.Range(0, 90).Select(i => 7 * i * i % 500)]] } : null,
            LeastTimeToKeep = TimeSpan.Zero,
        };
    }

    private static void Note(JobProgress progress, HashSet<string> made)
    {
        if (progress.Status is null) return;
        Assert.Matches("^(round [1-4] of 4|fit of the scales [12] of 2|result 1 of 1), squared error 0[.]", progress.Status);
        made.Add(progress.Unit);
    }

    private static string[] Names(TemporaryFolder folder) => [.. Directory.EnumerateFileSystemEntries(folder.Path).Select(path => Path.GetFileName(path)!).Order()];

    private sealed class Told(Action<JobProgress> told) : IProgress<JobProgress>
    {
        public void Report(JobProgress value) => told(value);
    }
}
