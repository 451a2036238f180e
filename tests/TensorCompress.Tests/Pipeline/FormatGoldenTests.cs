using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Pipeline;

/// <summary>The golden checkpoints of format version 1 are read for ever, and docs/format.md is enough to read them.</summary>
public class FormatGoldenTests
{
    private const string First = "format-1", Signs = "format-1-dbf";

    private static string Folder => FolderOf(First);

    [Theory]
    [InlineData(First)]
    [InlineData(Signs)]
    public void The_golden_checkpoint_passes_every_check(string golden)
    {
        VerificationReport report = CheckpointVerifier.Verify(FolderOf(golden));
        Assert.True(report.Passed, string.Join("\n", report.Checks));
        Assert.Equal(["hashes", "finite", "logits"], report.Checks.Select(check => check.Name));
    }

    [Theory]
    [InlineData(First, "dense", "mpo", "scalar")]
    [InlineData(Signs, "dbf", "scalar")]
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
            double tolerance = weight.Method.Name is "mpo" or "dbf" ? 1e-6 : 0; // the others are exact in single precision
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
    public void The_page_is_enough_to_compute_every_hash(string golden)
    {
        var page = new FormatReader(FolderOf(golden));
        Assert.All(page.Tensors, tensor => Assert.Equal(page.RecordedHash(tensor), page.Hash(tensor)));
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
