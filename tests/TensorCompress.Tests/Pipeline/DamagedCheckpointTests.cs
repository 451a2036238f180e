using System.Text;
using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Fuzz;
using TensorCompress.Inference;
using TensorCompress.Pipeline;
using TensorCompress.Storage;
using TensorCompress.Tests.Storage;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Pipeline;

/// <summary>Compressed checkpoints that somebody or something has changed.</summary>
public sealed class DamagedCheckpointTests : IDisposable
{
    private const string Configuration =
        """{"model_type":"llama","vocab_size":16,"hidden_size":8,"intermediate_size":12,"num_hidden_layers":1,"num_attention_heads":2,"max_position_embeddings":16,"tie_word_embeddings":true}""";

    private const string Recipe =
        """{"rules":[{"match":"*.q_proj","method":"mpo","chi":2},{"match":"*.k_proj","method":"lowrank","rank":2},{"match":"*.v_proj","method":"btt","rank":1},{"match":"*","method":"scalar","bits":3,"group":4}]}""";

    private readonly TemporaryFolder _folder = new();
    private readonly string _model;
    private readonly byte[] _intact;
    private readonly Dictionary<string, string> _hashes;

    public DamagedCheckpointTests()
    {
        TinyModels.Compress(Encoding.UTF8.GetBytes(Configuration), Recipe, _folder.Path);
        _model = _folder.Combine("compressed");
        _intact = File.ReadAllBytes(Weights);
        _hashes = JsonNode.Parse(File.ReadAllText(Path.Combine(_model, "config.json")))![CompressionManifest.ConfigurationKey]!["hashes"]!
            .AsObject().ToDictionary(entry => entry.Key, entry => entry.Value!.GetValue<string>());
        VerificationReport report = CheckpointVerifier.Verify(_model);
        Assert.True(report.Passed, string.Join("\n", report.Checks));
    }

    private string Weights => Path.Combine(_model, CheckpointWriter.WeightsFile);

    private int HeaderLength => 8 + BitConverter.ToInt32(_intact);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void C01_every_flipped_bit_of_the_header_is_found()
    {
        int opened = 0;
        for (int bit = 0; bit < 8 * HeaderLength; bit++)
        {
            byte[] damaged = Flip(bit);
            if (IsRefused(damaged)) continue;
            // Another name, type or shape changes a hash, which is quick to see; what does not is left to the verifier.
            using SafetensorsFile file = SafetensorsFile.Open(damaged);
            bool changesHash = file.Tensors.Keys.Any(name => !_hashes.TryGetValue(name, out string? hash) || TensorHash.Compute(file, name) != hash);
            if (!changesHash || opened % 50 == 0) AssertIsFound(damaged, bit);
            opened++;
        }

        Assert.InRange(opened, 100, HeaderLength * 4); // letters of names, and types and shapes of the same size
    }

    [Fact]
    public void C02_ten_thousand_flipped_bits_of_the_data_change_their_hash()
    {
        var random = new Random(2);
        for (int trial = 0; trial < 10_000; trial++)
        {
            long bit = (8L * HeaderLength) + random.NextInt64(8L * (_intact.Length - HeaderLength));
            byte[] damaged = Flip(bit);
            using (SafetensorsFile file = SafetensorsFile.Open(damaged))
                Assert.Single(file.Tensors.Keys, name => TensorHash.Compute(file, name) != _hashes[name]);
            if (trial % 500 == 0) AssertIsFound(damaged, bit);
        }
    }

    [Fact]
    public void C04_a_cut_anywhere_and_a_byte_too_many_are_found()
    {
        var random = new Random(4);
        foreach (int length in Enumerable.Range(0, HeaderLength + 1).Concat(Enumerable.Range(0, 200).Select(_ => random.Next(HeaderLength, _intact.Length))))
            ReaderVerdicts.Rejected(() => SafetensorsFile.Open(_intact.AsMemory(0, length)), TensorFormatError.Truncated);
        File.WriteAllBytes(Weights, _intact[..^1]);
        ReaderVerdicts.Rejected(() => LanguageModel.Load(_model), TensorFormatError.Truncated);
        File.WriteAllBytes(Weights, [.. _intact, 0]);
        ReaderVerdicts.Rejected(() => LanguageModel.Load(_model), TensorFormatError.Trailing);
    }

    [Theory]
    [InlineData(0x7E00)] // NaN
    [InlineData(0x7C00)] // infinity
    [InlineData(0xBC00)] // -1
    [InlineData(0x0000)] // zero, with codes that are not that of zero
    public void C05_a_scale_that_cannot_be_is_refused(int scale)
    {
        Change("model.layers.0.self_attn.o_proj.scalar.scales", BitConverter.GetBytes((ushort)scale));
        Assert.Contains("o_proj", ReaderVerdicts.Rejected(() => LanguageModel.Load(_model), TensorFormatError.Value).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("C-07a", "scalar", "group", "0", TensorFormatError.Value)]
    [InlineData("C-07b", "scalar", "group", "-1", TensorFormatError.Value)]
    [InlineData("C-07c", "scalar", "group", "3", TensorFormatError.Shape)] // other groups than the stored ones
    [InlineData("C-07d", "scalar", "group", "100", TensorFormatError.Value)]
    [InlineData("C-07e", "scalar", "bits", "0", TensorFormatError.Value)]
    [InlineData("C-07f", "scalar", "bits", "9", TensorFormatError.Value)]
    [InlineData("C-07g", "scalar", "bits", "255", TensorFormatError.Value)]
    [InlineData("C-10a", "lowrank", "rank", "3", TensorFormatError.Shape)]
    [InlineData("C-10b", "lowrank", "rank", "0", TensorFormatError.Value)]
    [InlineData("C-10c", "lowrank", "rank", "9", TensorFormatError.Value)]
    [InlineData("C-10d", "btt", "rank", "99", TensorFormatError.Value)]
    [InlineData("C-10e", "mpo", "bonds", "[1,3,1]", TensorFormatError.Shape)]
    [InlineData("C-10f", "mpo", "bonds", "[1,2147483647,1]", TensorFormatError.Overflow)]
    [InlineData("C-10g", "mpo", "bonds", "[2,2,1]", TensorFormatError.Inconsistent)]
    public void Parameters_that_do_not_fit_are_refused(string row, string method, string parameter, string value, TensorFormatError kind)
    {
        ChangeManifest(manifest => manifest["layers"]!.AsObject().First(layer => layer.Value!["method"]!.GetValue<string>() == method).Value!["parameters"]![parameter] = JsonNode.Parse(value));
        Assert.True(ReaderVerdicts.Rejected(() => LanguageModel.Load(_model), kind).Message.Length > 0, row);
    }

    [Fact]
    public void C11_what_is_not_known_and_not_needed_is_passed_over()
    {
        ChangeManifest(manifest => manifest["comment"] = "added later");
        Assert.True(CheckpointVerifier.Verify(_model).Passed);
        ChangeManifest(manifest => manifest["format_version"] = CompressionManifest.CurrentVersion + 1);
        ReaderVerdicts.Rejected(() => LanguageModel.Load(_model), TensorFormatError.Version);
    }

    [Fact]
    public void C12_a_manifest_and_tensors_that_contradict_each_other_are_refused()
    {
        const string layer = "model.layers.0.self_attn.o_proj";
        JsonNode? taken = null;
        ChangeManifest(manifest =>
        {
            taken = manifest["layers"]![layer]!.DeepClone();
            manifest["layers"]!.AsObject().Remove(layer);
        });
        ReaderVerdicts.Rejected(() => LanguageModel.Load(_model), TensorFormatError.Inconsistent); // neither dense nor compressed
        ChangeManifest(manifest =>
        {
            manifest["layers"]![layer] = taken;
            manifest["layers"]!["model.layers.7.self_attn.o_proj"] = taken!.DeepClone();
            manifest["hashes"]!["model.layers.7.self_attn.o_proj.scalar.codes"] = new string('0', 64);
        });
        VerificationCheck failed = Assert.Single(CheckpointVerifier.Verify(_model).Checks, check => check.Name == "hashes");
        Assert.False(failed.Passed);
        Assert.Contains("model.layers.7", failed.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void C15_there_is_no_silent_mode_without_hashes()
    {
        ChangeManifest(manifest => manifest["hashes"]!.AsObject().Remove("model.norm.weight"));
        Assert.False(CheckpointVerifier.Verify(_model).Passed);
        ChangeManifest(manifest => manifest["hashes"]!["model.norm.weight"] = "0123");
        ReaderVerdicts.Rejected(() => LanguageModel.Load(_model), TensorFormatError.Structure);
        ChangeManifest(manifest => manifest.Remove("hashes"));
        ReaderVerdicts.Rejected(() => LanguageModel.Load(_model), TensorFormatError.Structure);
    }

    private byte[] Flip(long bit)
    {
        byte[] damaged = [.. _intact];
        damaged[bit / 8] ^= (byte)(1 << (int)(bit % 8));
        return damaged;
    }

    private static bool IsRefused(byte[] weights)
    {
        try
        {
            SafetensorsFile.Open(weights).Dispose();
            return false;
        }
        catch (TensorFormatException)
        {
            return true;
        }
    }

    private void AssertIsFound(byte[] damaged, long bit)
    {
        File.WriteAllBytes(Weights, damaged);
        Assert.False(CheckpointVerifier.Verify(_model).Passed, $"the flip of bit {bit} was not found");
    }

    private void WriteByte(long offset, byte value)
    {
        using FileStream file = File.OpenWrite(Weights);
        file.Position = offset;
        file.WriteByte(value);
    }

    private void Change(string tensor, byte[] bytes)
    {
        JsonNode entry = JsonNode.Parse(_intact.AsSpan(8, HeaderLength - 8))![tensor]!;
        for (int i = 0; i < bytes.Length; i++) WriteByte(HeaderLength + entry["data_offsets"]![0]!.GetValue<int>() + i, bytes[i]);
    }

    private void ChangeManifest(Action<JsonObject> change)
    {
        string path = Path.Combine(_model, "config.json");
        JsonObject configuration = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        change(configuration[CompressionManifest.ConfigurationKey]!.AsObject());
        File.WriteAllText(path, configuration.ToJsonString());
    }
}
