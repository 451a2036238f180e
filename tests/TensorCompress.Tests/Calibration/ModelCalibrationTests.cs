using System.Globalization;
using System.Text.RegularExpressions;
using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Calibration;

/// <summary>Calibration of the small model, from its statistics to what they are good for.</summary>
public sealed class ModelCalibrationTests
{
    private const string Hash = "0123456789abcdef0123456789abcdef";

    private static readonly string ModelPath = TestFiles.Golden("stories260K/stories260K.bin");

    [Fact]
    public void More_tokens_than_memory_are_refused_with_the_number_that_fits()
    {
        using LanguageModel model = LanguageModel.Load(ModelPath);
        int[] window = new int[512];
        int[][] windows = [.. Enumerable.Repeat(window, 1 << 23)]; // 4 TB for a run of the small model
        var fault = Assert.Throws<InsufficientMemoryException>(() => ModelCalibration.Collect(model, windows, (_, _) => { }));
        Match told = Regex.Match(fault.Message, "take ([0-9]+) bytes each.*at most ([0-9]+) tokens fit");
        Assert.Equal(4 * (64 + 172), int.Parse(told.Groups[1].Value, CultureInfo.InvariantCulture));
        Assert.InRange(long.Parse(told.Groups[2].Value, CultureInfo.InvariantCulture), 1, (1L << 32) - 1);

        using var folder = new TemporaryFolder();
        var job = new CompressionJobOptions { Recipe = CompressionRecipes.ForBlocks(model.Definition, CompressionMethods.ParseOptions("scalar:bits=4")), Calibration = new CalibrationOptions { Windows = windows } };
        fault = Assert.Throws<InsufficientMemoryException>(() => ModelCompressor.Compress(ModelPath, folder.Combine("out"), job));
        Assert.Contains($"{2 * 4 * (64 + 172)} bytes each", fault.Message, StringComparison.Ordinal); // the dense model runs beside the compressed one
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Statistics_are_the_second_moments_that_a_probe_sees()
    {
        using LanguageModel model = LanguageModel.Load(ModelPath);
        int[][] windows = Windows(model, 3, 40);
        var probe = new OutputInputs();
        foreach (int[] window in windows)
        {
            using Session session = model.CreateSession(window.Length);
            session.Append(window, logits: null, probe);
        }

        var seen = new Dictionary<string, double[]>();
        ModelCalibration.Collect(model, windows, (layers, statistics) =>
        {
            Assert.Equal(120, statistics.TokenCount);
            foreach (string layer in layers) seen.Add(layer, statistics.Diagonal());
        });
        Assert.Equal(model.Definition.Linears.Select(linear => linear.Name).Order(), seen.Keys.Order()); // the tied embedding is the head

        // The last of 120 tokens by norm is clipped, so compare where the oracle clips too.
        double[][] inputs = [.. probe.Tokens];
        double limit = inputs.Select(Norm).OrderDescending().ElementAt(1);
        for (int i = 0; i < inputs[0].Length; i++)
        {
            double expected = inputs.Sum(token => Math.Pow(token[i] * Math.Min(1, limit / Norm(token)), 2)) / inputs.Length;
            Assert.Equal(expected, seen["model.layers.2.self_attn.o_proj"][i], 1e-5 * (1 + expected));
        }
    }

    [Fact]
    public void A_file_of_statistics_reads_back_and_is_bound_to_its_model()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Combine("statistics.safetensors");
        using LanguageModel model = LanguageModel.Load(ModelPath);
        int[][] windows = Windows(model, 2, 30);
        CalibrationFile.Write(path, model, Hash, windows);
        using CalibrationFile file = CalibrationFile.Open(path);
        Assert.Equal(60, file.TokenCount);
        ModelCalibration.Collect(model, windows, (layers, expected) =>
        {
            foreach (string layer in layers)
            {
                using LayerStatistics actual = file.Read(layer)!;
                for (int i = 0; i < expected.Dimension; i++)
                    Assert.Equal(expected.SecondMoment.Row(i).ToArray().Select(value => (double)(float)value), actual.SecondMoment.Row(i).ToArray());
            }
        });
        Assert.Null(file.Read("no.such.layer"));
        file.ThrowIfOfAnother(Hash);
        Assert.Contains("another model", Assert.Throws<ArgumentException>(() => file.ThrowIfOfAnother("fedcba9876543210")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_file_of_statistics_is_refused()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Combine("other.safetensors");
        using (SafetensorsWriter writer = SafetensorsWriter.Create(path))
        {
            writer.Add(new TensorInfo("x", ElementType.F32, [1]), new byte[4]);
            writer.Complete();
        }

        Assert.Equal(TensorFormatError.Unsupported, Assert.Throws<TensorFormatException>(() => CalibrationFile.Open(path)).Kind);
        foreach ((string key, string value) in new[] { ("layers", "{"), ("layers", """{"a": "b"}"""), ("tokens", "0"), ("tokens", "x") })
        {
            var metadata = new Dictionary<string, string> { ["format"] = "tensorcompress-calibration-1", ["source_sha256"] = Hash, ["tokens"] = "5", ["layers"] = "{}", [key] = value };
            using (SafetensorsWriter writer = SafetensorsWriter.Create(path, metadata)) writer.Complete();
            Assert.Equal(TensorFormatError.Structure, Assert.Throws<TensorFormatException>(() => CalibrationFile.Open(path)).Kind);
        }
    }

    [Fact]
    public void Windows_that_the_model_cannot_run_are_refused()
    {
        using LanguageModel model = LanguageModel.Load(ModelPath);
        foreach (int[][] windows in new int[][][] { [], [[]], [new int[513]], [[1, 512]], [[-1]] })
            Assert.Throws<ArgumentException>(() => ModelCalibration.Collect(model, windows, (_, _) => { }));
    }

    /// <summary>Three bits: what is fitted to the inputs loses less than what is rounded, and least behind compressed layers.</summary>
    [Fact]
    public void Calibrated_compression_loses_less_on_other_text()
    {
        using LanguageModel model = LanguageModel.Load(ModelPath);
        int[][] all = Windows(model, 12, 128), calibration = all[..8], judged = all[8..];
        using var folder = new TemporaryFolder();
        string statistics = folder.Combine("statistics.safetensors");
        using (ModelCheckpoint checkpoint = ModelCheckpoint.Open(ModelPath)) CalibrationFile.Write(statistics, model, checkpoint.ComputeHash(), calibration);
        MethodOptions options = CompressionMethods.Get("scalar").ParseOptions(new Dictionary<string, string> { ["bits"] = "3", ["group"] = "32" });
        double plain = Divergence("plain", null), file = Divergence("file", new CalibrationOptions { StatisticsFile = statistics });
        double dense = Divergence("dense", new CalibrationOptions { Windows = calibration, CompressedPrefix = false });
        double prefix = Divergence("prefix", new CalibrationOptions { Windows = calibration, Target = CalibrationTarget.Weights });
        Assert.Equal(dense, file, 0.05 * dense); // the file's statistics are rounded
        Assert.True(dense < 0.7 * plain && prefix < 0.7 * plain, $"plain {plain}, dense prefix {dense}, compressed prefix {prefix}");

        double Divergence(string name, CalibrationOptions? calibrationOptions) => DivergenceAfter(model, folder.Combine(name), options, calibrationOptions, judged);
    }

    /// <summary>Half of the parameters: large errors that later layers can take back. The more so the more tokens there are.</summary>
    [Fact]
    public void Aiming_at_the_dense_outputs_loses_less_on_other_text()
    {
        using LanguageModel model = LanguageModel.Load(ModelPath);
        int[][] all = Windows(model, 36, 128), calibration = all[..32], judged = all[32..];
        using var folder = new TemporaryFolder();
        MethodOptions options = CompressionMethods.Get("lowrank").ParseOptions(new Dictionary<string, string> { ["share"] = "0.5" });
        double weights = DivergenceAfter(model, folder.Combine("weights"), options, new CalibrationOptions { Windows = calibration, Target = CalibrationTarget.Weights }, judged);
        double outputs = DivergenceAfter(model, folder.Combine("outputs"), options, new CalibrationOptions { Windows = calibration }, judged);
        Assert.True(outputs < 0.85 * weights, $"weights {weights}, dense outputs {outputs}");
    }

    private static double DivergenceAfter(LanguageModel model, string output, MethodOptions options, CalibrationOptions? calibration, int[][] judged)
    {
        var job = new CompressionJobOptions { Recipe = CompressionRecipes.ForBlocks(model.Definition, options), Calibration = calibration };
        CompressionReport report = ModelCompressor.Compress(ModelPath, output, job);
        Assert.All(report.Layers, layer => Assert.Equal(calibration is not null, layer.OutputError is not null));
        using LanguageModel compressed = LanguageModel.Load(output, new LanguageModelOptions { WithoutTokenizer = true });
        return Evaluator.Evaluate(compressed, judged, model).Kl!.Mean;
    }

    [Fact]
    public void Calibration_takes_texts_or_a_file()
    {
        using var folder = new TemporaryFolder();
        using LanguageModel model = LanguageModel.Load(ModelPath);
        CompressionRecipe recipe = CompressionRecipes.ForBlocks(model.Definition, CompressionMethods.Get("scalar").ParseOptions(new Dictionary<string, string>()));
        foreach (CalibrationOptions options in new[] { new CalibrationOptions(), new CalibrationOptions { Windows = [[1, 2]], StatisticsFile = "x" }, new CalibrationOptions { Windows = [[1, 2]], Shrinkage = double.NaN } })
        {
            var job = new CompressionJobOptions { Recipe = recipe, Calibration = options };
            Assert.Throws<ArgumentException>(() => ModelCompressor.Compress(ModelPath, folder.Combine("out"), job));
        }
    }

    private static int[][] Windows(LanguageModel model, int count, int length)
    {
        string text = File.ReadAllText(TestFiles.Golden("stories260K/ref_greedy256.txt"));
        int[] ids = model.Tokenizer!.Encode(text, new EncodeOptions());
        // The text is short: later windows continue the model's own story.
        var windows = new int[count][];
        for (int i = 0; i < count; i++)
        {
            using Session session = model.CreateSession(length + 1);
            List<int> window = [ids[0], ids[(7 * i + 1) % ids.Length]];
            session.Append([.. window[..1]]);
            while (window.Count < length)
            {
                ReadOnlySpan<float> logits = session.Append([window[^1]]);
                int best = System.Numerics.Tensors.TensorPrimitives.IndexOfMax(logits);
                window.Add(best);
            }

            windows[i] = [.. window];
        }

        return windows;
    }

    private static double Norm(double[] token) => Math.Sqrt(token.Sum(value => value * value));

    /// <summary>The inputs of one output projection.</summary>
    private sealed class OutputInputs : ActivationProbe
    {
        public List<double[]> Tokens { get; } = [];

        public override void Observe(ActivationPoint point, int block, int firstPosition, MatrixView<float> values)
        {
            if (point != ActivationPoint.AttentionMix || block != 2) return;
            for (nint row = 0; row < values.Rows; row++) Tokens.Add([.. values.Row(row).ToArray().Select(value => (double)value)]);
        }
    }
}
