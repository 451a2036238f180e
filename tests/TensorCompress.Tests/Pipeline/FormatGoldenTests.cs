using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Pipeline;

/// <summary>The golden checkpoints of format version 1, and of every version of a method, are read for ever, and docs/format.md is enough to read them.</summary>
public class FormatGoldenTests
{
    private const string First = "format-1", Signs = "format-1-dbf", Forms = "format-1-forms", FirstBlocks = "format-1-btt-1";

    private static string Folder => FolderOf(First);

    [Theory]
    [InlineData(First)]
    [InlineData(Signs)]
    [InlineData(Forms)]
    [InlineData(FirstBlocks)]
    public void The_golden_checkpoint_passes_every_check(string golden)
    {
        VerificationReport report = CheckpointVerifier.Verify(FolderOf(golden));
        Assert.True(report.Passed, string.Join("\n", report.Checks));
        Assert.Equal(["hashes", "finite", "logits"], report.Checks.Select(check => check.Name));
    }

    [Theory]
    [InlineData(First, "dense", "mpo", "scalar")]
    [InlineData(Signs, "dbf", "scalar")]
    [InlineData(Forms, "btt", "lowrank", "mpo", "qet", "sum", "tucker")]
    [InlineData(FirstBlocks, "btt", "scalar")]
    public void The_page_is_enough_to_read_every_layer(string golden, params string[] methods)
    {
        var page = new FormatReader(FolderOf(golden));
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(FolderOf(golden));
        Assert.Equal(checkpoint.Manifest!.Layers.Keys.Order(), page.Layers.Order());
        Assert.Equal(methods, checkpoint.Manifest.Layers.Values.Select(layer => layer.Method).Distinct().Order());
        foreach (LinearDefinition linear in checkpoint.Definition.Linears.Where(linear => checkpoint.Manifest.Layers.ContainsKey(linear.Name)))
        {
            double[,] expected = page.Decode(linear.Name);
            using CompressedWeight weight = WeightLoader.ReadWeight(checkpoint, linear);
            using Matrix<float> actual = weight.ToDense();
            double tolerance = weight.Method.Name is "dense" or "scalar" ? 0 : 1e-6; // those are exact in single precision
            for (int row = 0; row < linear.OutputDimension; row++)
            {
                int at = row;
                FloatBits.AssertNear(column => expected[at, column], actual.Row(row), _ => tolerance, $"{linear.Name}, row {row}");
            }
        }
    }

    [Theory]
    [InlineData(First)]
    [InlineData(Signs)]
    [InlineData(Forms)]
    [InlineData(FirstBlocks)]
    public void The_page_is_enough_to_compute_every_hash(string golden)
    {
        var page = new FormatReader(FolderOf(golden));
        Assert.All(page.Tensors, tensor => Assert.Equal(page.RecordedHash(tensor), page.Hash(tensor)));
    }

    [Theory]
    [InlineData(Forms)]
    [InlineData(FirstBlocks)]
    public void The_numbers_are_those_that_were_recorded_bit_for_bit(string golden)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(FolderOf(golden));
        JsonObject recorded = JsonNode.Parse(File.ReadAllBytes(TestFiles.Golden($"{golden}/numbers.json")))!.AsObject();
        LinearDefinition[] layers = [.. checkpoint.Definition.Linears.Where(linear => checkpoint.Manifest!.Layers.ContainsKey(linear.Name))];
        Assert.Equal(recorded.Select(entry => entry.Key).Order(), layers.Select(linear => linear.Name).Order());
        foreach (LinearDefinition linear in layers)
        {
            using CompressedWeight weight = WeightLoader.ReadWeight(checkpoint, linear);
            using Matrix<float> dense = weight.ToDense();
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            for (int row = 0; row < linear.OutputDimension; row++) hash.AppendData(MemoryMarshal.AsBytes(dense.Row(row)));
            Assert.True(recorded[linear.Name]!.GetValue<string>() == Convert.ToHexStringLower(hash.GetHashAndReset()), linear.Name);
        }
    }

    [Theory]
    [InlineData(First)]
    [InlineData(Signs)]
    [InlineData(Forms)]
    [InlineData(FirstBlocks)]
    public void What_was_read_is_written_as_it_was(string golden)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(FolderOf(golden));
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(FolderOf(golden), CheckpointWriter.WeightsFile));
        JsonNode layers = JsonNode.Parse(File.ReadAllBytes(Path.Combine(FolderOf(golden), "config.json")))!["quantization_config"]!["layers"]!;
        foreach (LinearDefinition linear in checkpoint.Definition.Linears.Where(linear => checkpoint.Manifest!.Layers.ContainsKey(linear.Name)))
        {
            using CompressedWeight weight = WeightLoader.ReadWeight(checkpoint, linear);
            Assert.True(JsonNode.DeepEquals(layers[linear.Name]!["parameters"], JsonNode.Parse(weight.Parameters.ToJsonString())), $"{linear.Name}: {weight.Parameters.ToJsonString()}");
            using MemoryTensors written = MemoryTensors.Of(linear.Name, weight);
            Assert.Equal(file.Tensors.Keys.Where(name => name.StartsWith($"{linear.Name}.{weight.Method.Name}.", StringComparison.Ordinal)).Order(), written.Tensors.Keys.Order());
            foreach ((string name, TensorInfo tensor) in written.Tensors)
            {
                byte[] stored = new byte[file.Tensors[name].ByteLength];
                file.ReadBytes(name, 0, stored);
                Assert.Equal((file.Tensors[name].ElementType, string.Join(',', file.Tensors[name].Shape)), (tensor.ElementType, string.Join(',', tensor.Shape)));
                Assert.True(stored.AsSpan().SequenceEqual(written.Bytes[name]), name);
            }
        }
    }

    [Fact]
    public void Every_method_and_version_has_a_golden_checkpoint()
    {
        (string Method, int Version)[] kept = [.. new[] { First, Signs, Forms, FirstBlocks }.SelectMany(golden =>
        {
            using ModelCheckpoint checkpoint = ModelCheckpoint.Open(FolderOf(golden));
            return checkpoint.Manifest!.Layers.Values.Select(layer => (layer.Method, layer.Version)).ToArray();
        })];
        foreach (ICompressionMethod method in CompressionMethods.All)
        {
            for (int version = 1; version <= method.FormatVersion; version++) Assert.Contains((method.Name, version), kept);
        }
    }

    [Fact]
    public void A_flipped_bit_anywhere_is_found()
    {
        byte[] intact = File.ReadAllBytes(Path.Combine(Folder, CheckpointWriter.WeightsFile));
        using var copy = new TemporaryFolder();
        File.Copy(Path.Combine(Folder, "config.json"), copy.Combine("config.json"));
        var random = new Random(7);
        for (int trial = 0; trial < 60; trial++)
        {
            byte[] damaged = [.. intact];
            int at = trial < 20 ? random.Next(8 + BitConverter.ToInt32(intact)) : random.Next(intact.Length);
            damaged[at] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(copy.Combine(CheckpointWriter.WeightsFile), damaged);
            Assert.True(IsFound(copy.Path), $"the change of byte {at} was not found");
        }
    }

    [Fact]
    public void Exchanged_tensors_of_equal_size_are_found()
    {
        using var copy = new TemporaryFolder();
        File.Copy(Path.Combine(Folder, "config.json"), copy.Combine("config.json"));
        using (SafetensorsFile source = SafetensorsFile.Open(Path.Combine(Folder, CheckpointWriter.WeightsFile)))
        using (SafetensorsWriter writer = SafetensorsWriter.Create(copy.Combine(CheckpointWriter.WeightsFile), new Dictionary<string, string>()))
        {
            const string one = "model.layers.0.input_layernorm.weight", other = "model.layers.1.input_layernorm.weight";
            foreach (TensorInfo tensor in source.Tensors.Values)
            {
                string content = tensor.Name == one ? other : tensor.Name == other ? one : tensor.Name;
                byte[] bytes = new byte[tensor.ByteLength];
                source.ReadBytes(content, 0, bytes);
                writer.Add(tensor, stream => stream.Write(bytes));
            }

            writer.Complete();
        }

        VerificationCheck failed = Assert.Single(CheckpointVerifier.Verify(copy.Path).Checks, check => !check.Passed);
        Assert.Equal("hashes", failed.Name);
        Assert.Contains("input_layernorm", failed.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"format_version\": 1", "\"format_version\": 2", TensorFormatError.Version)]
    [InlineData("\"quant_method\": \"tensorcompress\"", "\"quant_method\": \"other\"", TensorFormatError.Unsupported)]
    [InlineData("\"version\": 1", "\"version\": 2", TensorFormatError.Version)]
    [InlineData("\"method\": \"scalar\"", "\"method\": \"scalr\"", TensorFormatError.Unsupported)]
    [InlineData("\"bits\": 5", "\"bits\": 9", TensorFormatError.Value)]
    [InlineData("\"bits\": 5", "\"bits\": 4", TensorFormatError.Shape)]
    [InlineData("\"group\": 48", "\"group\": 0", TensorFormatError.Value)]
    [InlineData("\"hashes\"", "\"hashs\"", TensorFormatError.Structure)]
    [InlineData("\"scales\": \"F16\"", "\"scales\": \"F32\"", TensorFormatError.Type)]
    public void A_changed_manifest_is_refused(string from, string to, TensorFormatError expected)
    {
        using var copy = new TemporaryFolder();
        File.Copy(Path.Combine(Folder, CheckpointWriter.WeightsFile), copy.Combine(CheckpointWriter.WeightsFile));
        string text = File.ReadAllText(Path.Combine(Folder, "config.json"));
        int at = text.IndexOf(from, StringComparison.Ordinal);
        File.WriteAllText(copy.Combine("config.json"), text[..at] + to + text[(at + from.Length)..]);
        Assert.Equal(expected, Assert.Throws<TensorFormatException>(() => LanguageModel.Load(copy.Path).Dispose()).Kind);
    }

    private static string FolderOf(string golden) => TestFiles.Golden($"{golden}/model");

    private static bool IsFound(string folder)
    {
        try
        {
            return !CheckpointVerifier.Verify(folder).Passed;
        }
        catch (TensorFormatException)
        {
            return true;
        }
    }
}
