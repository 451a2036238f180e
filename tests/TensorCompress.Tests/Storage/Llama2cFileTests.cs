using System.Buffers.Binary;
using TensorCompress.Storage;
using TensorCompress.Tests.TestKit;
using Kind = TensorCompress.Storage.TensorFormatError;

namespace TensorCompress.Tests.Storage;

/// <summary>llama2.c checkpoints of all versions against the same models in safetensors, and every way in which the short header can lie.</summary>
public sealed class Llama2cFileTests : IDisposable
{
    private static readonly byte[] Golden = File.ReadAllBytes(TestFiles.Golden("stories260K/stories260K.bin"));

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void HeaderBecomesTheConfiguration()
    {
        using Llama2cFile file = Open(Golden);
        Assert.Equal(47, file.Tensors.Count); // 5 layers of 9, embedding, last norm; the head is shared
        Assert.Equal([512L, 64], file.Tensors["model.embed_tokens.weight"].Shape);
        Assert.Equal([32L, 64], file.Tensors["model.layers.4.self_attn.v_proj.weight"].Shape);
        Assert.Equal([64L], file.Tensors["model.norm.weight"].Shape);
        string[] keys = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings"];
        Assert.Equal([64, 172, 5, 8, 4, 8, 512, 512], keys.Select(key => file.Configuration.GetProperty(key).GetInt32()));
        Assert.True(file.Configuration.GetProperty("tie_word_embeddings").GetBoolean());
    }

    [Fact]
    public void ValuesLieWhereTheFormatPutsThem()
    {
        using Llama2cFile file = Open(Golden);
        const int embedding = 512 * 64, norms = 5 * 64, queries = 5 * 64 * 64, headRows = 8;
        Assert.Equal(Stored(0, embedding), Read(file, "model.embed_tokens.weight"));
        Assert.Equal(Stored(embedding + 64, 64), Read(file, "model.layers.1.input_layernorm.weight"));
        // Query rows of a head are stored as pairs (i, i + half), and appear as halves.
        float[] stored = Stored(embedding + norms + 64 * 64, 64 * 64);
        float[] query = Read(file, "model.layers.1.self_attn.q_proj.weight");
        for (int head = 0; head < 8; head++)
        {
            for (int i = 0; i < headRows / 2; i++)
            {
                Assert.Equal(Row(stored, head * headRows + 2 * i), Row(query, head * headRows + i));
                Assert.Equal(Row(stored, head * headRows + 2 * i + 1), Row(query, head * headRows + i + headRows / 2));
            }
        }

        Assert.Equal(Stored(embedding + norms + queries + 5 * 32 * 64, 32 * 64), Read(file, "model.layers.0.self_attn.v_proj.weight"));

        static float[] Row(float[] matrix, int row) => matrix[(row * 64)..((row + 1) * 64)];
    }

    [Fact]
    public void AnyRangeIsAPartOfTheWhole()
    {
        using Llama2cFile file = Open(Golden);
        foreach (string name in new[] { "model.layers.2.self_attn.k_proj.weight", "model.layers.2.mlp.down_proj.weight" })
        {
            float[] whole = Read(file, name);
            byte[] bytes = [.. whole.SelectMany(BitConverter.GetBytes)];
            foreach ((int first, int count) in new[] { (0, 1), (63, 2), (64, 64), (100, 1000), (whole.Length - 1, 1), (whole.Length, 0) })
            {
                var values = new float[count];
                file.ReadSingles(name, first, values);
                Assert.Equal(whole[first..(first + count)], values);
                var part = new byte[Math.Min(count * 3, bytes.Length - first)];
                file.ReadBytes(name, first, part);
                Assert.Equal(bytes[first..(first + part.Length)], part);
            }

            Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadSingles(name, whole.Length, new float[1]));
            Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadSingles(name, -1, new float[1]));
        }

        Assert.Throws<KeyNotFoundException>(() => file.ReadSingles("lm_head.weight", 0, new float[1]));
    }

    [SharedTheory]
    [InlineData("stories260K", "stories260K.bin")]
    [InlineData("stories260K", "stories260K_v1.bin")]
    [InlineData("babyllama361", "model5000.bin")]
    public void EqualsItsSafetensorsBitForBit(string model, string checkpoint)
    {
        using Llama2cFile file = Llama2cFile.Open(SharedData.Path($"models/{model}/{checkpoint}"));
        using SafetensorsFile expected = SafetensorsFile.Open(SharedData.Path($"models/{model}/model.f32.safetensors"));
        Assert.Equal(expected.Tensors.Keys.Order(), file.Tensors.Keys.Order());
        foreach (TensorInfo tensor in expected.Tensors.Values)
        {
            Assert.Equal(tensor.Shape, file.Tensors[tensor.Name].Shape);
            byte[] left = new byte[tensor.ByteLength], right = new byte[tensor.ByteLength];
            expected.ReadBytes(tensor.Name, 0, left);
            file.ReadBytes(tensor.Name, 0, right);
            Assert.True(left.AsSpan().SequenceEqual(right), tensor.Name);
        }
    }

    [SharedFact]
    public void Int8LiesWithinHalfAStepOfTheFloats()
    {
        using Llama2cFile file = Llama2cFile.Open(SharedData.Path("models/stories260K/stories260K-q8.bin"));
        using SafetensorsFile expected = SafetensorsFile.Open(SharedData.Path("models/stories260K/model.f32.safetensors"));
        Assert.Equal(expected.Tensors.Keys.Order(), file.Tensors.Keys.Order());
        foreach (TensorInfo tensor in expected.Tensors.Values)
        {
            float[] values = Read(expected, tensor.Name), read = Read(file, tensor.Name);
            if (tensor.Shape.Count == 1)
            {
                Assert.Equal(values, read); // norms are stored as floats
                continue;
            }

            double squares = 0, errors = 0;
            for (int i = 0; i < values.Length; i++)
            {
                squares += (double)values[i] * values[i];
                errors += ((double)values[i] - read[i]) * ((double)values[i] - read[i]);
            }

            // 127 steps to the largest of 64 values: about 0.7 % of the norm; a shifted scale or row gives more than 10 %.
            Assert.InRange(Math.Sqrt(errors / squares), 1e-4, 0.012);
        }
    }

    [Fact]
    public void EveryTruncationIsRefused()
    {
        for (int length = 0; length < 300; length++) Refused(Golden[..length], Kind.Truncated);
        foreach (int length in new[] { 1000, Golden.Length / 2, Golden.Length - 4 * 512 * 8, Golden.Length - 4, Golden.Length - 1 }) Refused(Golden[..length], Kind.Truncated);
        Refused([.. Golden, 0], Kind.Trailing);
        Refused([.. Golden, .. new byte[4096]], Kind.Trailing);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    [InlineData(int.MaxValue)]
    public void AbsurdHeadersAreRefusedUnallocated(int value)
    {
        for (int field = 0; field < 7; field++)
        {
            if (field == 5 && value == -1) continue; // a negative vocabulary marks an untied head
            byte[] header = Header(64, 172, 5, 8, 4, 512, 512);
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4 * field), value);
            Refused([.. header, .. Golden[28..4096]], Kind.Value);
        }
    }

    [Fact]
    public void SizesThatDoNotFitEachOther()
    {
        Refused([.. Header(64, 172, 5, 7, 7, 512, 512), .. Golden[28..]], Kind.Value); // heads do not divide the width
        Refused([.. Header(64, 172, 5, 8, 3, 512, 512), .. Golden[28..]], Kind.Value); // nor key-value heads the heads
        Refused([.. Header(64, 172, 5, 8, 16, 512, 512), .. Golden[28..]], Kind.Value);
        Refused([.. Header(24, 172, 5, 8, 4, 512, 512), .. Golden[28..]], Kind.Value); // rotary pairs need even heads
        Refused([.. Header(1 << 24, 1 << 24, 1 << 12, 8, 4, 1 << 24, 1 << 24), .. Golden[28..4096]], Kind.Truncated);
        Refused([.. Header(2, 1, 1 << 20, 1, 1, 1, 1), .. new byte[1 << 20]], Kind.Value);
        Refused([.. Header(64, 172, 5, 8, 4, -512, 512), .. Golden[28..]], Kind.Truncated); // an untied head that is not there
    }

    [Fact]
    public void VersionedHeaders()
    {
        Refused(Versioned(3, 1, 64), Kind.Version);
        Refused(Versioned(0, 1, 64), Kind.Version);
        Refused(Versioned(-1, 1, 64), Kind.Version);
        Refused(Versioned(1, 2, 0), Kind.Value);
        Refused(Versioned(1, 1, 0)[..255], Kind.Truncated);
        Refused(Versioned(1, 1, 0), Kind.Truncated);
        foreach (int groupSize in new[] { 0, -1, 63, 128, int.MaxValue, int.MinValue }) Refused(Versioned(2, 1, groupSize), Kind.Value);
        Refused(Versioned(2, 1, 64), Kind.Truncated);
    }

    [Theory]
    [InlineData("80027D710028")]
    [InlineData("80049500000000000000")]
    [InlineData("8005951A000000000000")]
    [InlineData("504B0304140000000800")]
    public void Z01Z02PicklesAndArchivesSayHowToConvert(string start)
    {
        byte[] content = [.. Convert.FromHexString(start), .. new byte[200]];
        Assert.Contains("convert", Refused(content, Kind.Unsupported).Message, StringComparison.Ordinal);
    }

    private static byte[] Header(params int[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    private static byte[] Versioned(int version, byte hasSharedHead, int groupSize) =>
        [.. "24ka"u8, .. BitConverter.GetBytes(version), .. Header(64, 172, 5, 8, 4, 512, 512), hasSharedHead, .. BitConverter.GetBytes(groupSize), .. new byte[256 - 41], .. new byte[1000]];

    private static float[] Stored(int first, int count)
    {
        var values = new float[count];
        Buffer.BlockCopy(Golden, 28 + 4 * first, values, 0, 4 * count);
        return values;
    }

    private static float[] Read(ITensorSource source, string name)
    {
        var values = new float[source.Tensors[name].ElementCount];
        source.ReadSingles(name, 0, values);
        return values;
    }

    private Llama2cFile Open(byte[] content)
    {
        string path = _folder.Combine("model.bin");
        File.WriteAllBytes(path, content);
        return Llama2cFile.Open(path);
    }

    private TensorFormatException Refused(byte[] content, Kind kind)
    {
        long before = 0;
        TensorFormatException fault = ReaderVerdicts.Rejected(() =>
        {
            string path = _folder.Combine("model.bin");
            File.WriteAllBytes(path, content);
            before = GC.GetAllocatedBytesForCurrentThread();
            return Llama2cFile.Open(path);
        }, kind);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        return fault;
    }
}
