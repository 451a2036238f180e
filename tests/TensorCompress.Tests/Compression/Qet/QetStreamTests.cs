using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using TensorCompress.Compression.Qet;
using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Qet;

public sealed class QetStreamTests
{
    // Where numbers of the header are: docs/format.md.
    private const int Rows = 12, Columns = 20, Subspaces = 28, CodebookBits = 32, GridPerGroup = 36, Rotation = 40, Stages = 60, FirstShare = 68, FirstCentroids = 76, Header = 64 + 2 * 16;

    public static TheoryData<QetOptions> AllOptions { get; } =
    [
        QetOptions.PaperDefault(3) with { BeamWidth = 3 },
        QetOptions.Vanilla(4, 0),
        new(6, [new QetStageOptions(1, 0.25), new QetStageOptions(0, 0.25), new QetStageOptions(0, 0.5)], 5, gridPerGroup: true, iterations: 7, seed: ulong.MaxValue) { Rotation = QetRotation.Hadamard },
        new(8, [new QetStageOptions(0, 1)]) { Rotation = QetRotation.Learnt },
    ];

    [Theory]
    [MemberData(nameof(AllOptions))]
    public void What_was_written_is_read(QetOptions options)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(90, 24, 6), more = RandomMatrices.Gaussian(5, 24, 7), whole = new(90, 24), again = new(90, 24);
        QetTensor tensor = QetCodec.Compress(values.View, QetPlan.WithCentroids(90, 24, [.. options.Stages.Select((_, i) => 5 + i)], options));
        using var stream = new MemoryStream();
        tensor.Write(stream);
        Assert.Equal(64 + 16 * options.Stages.Count + tensor.StoredBytes, stream.Length);
        stream.WriteByte(77);
        stream.Position = 0;
        QetTensor read = QetTensor.Read(stream);
        Assert.Equal(77, stream.ReadByte());
        Assert.Equal(tensor.Plan, read.Plan);
        QetCodec.Decompress(tensor, whole.View);
        QetCodec.Decompress(read, again.View);
        FloatBits.AssertEqual(whole.RowSpan(0, 90), again.RowSpan(0, 90), "read");
        QetCodec.Decompress(QetCodec.Encode(more.View, tensor), whole.RowRange(0, 5));
        QetCodec.Decompress(QetCodec.Encode(more.View, read), again.RowRange(0, 5));
        FloatBits.AssertEqual(whole.RowSpan(0, 5), again.RowSpan(0, 5), "new rows");
    }

    /// <summary>Streams of version 1 are read for ever.</summary>
    [Theory]
    [InlineData("swaps")]
    [InlineData("hadamard")]
    [InlineData("learnt")]
    public void The_golden_stream_gives_the_same_numbers_and_is_written_as_it_was(string name)
    {
        byte[] stored = File.ReadAllBytes(TestFiles.Golden($"qetensor-1/{name}.qet")), numbers = File.ReadAllBytes(TestFiles.Golden($"qetensor-1/{name}.f32"));
        QetTensor tensor = QetTensor.Read(new MemoryStream(stored));
        using var decoded = new Matrix<float>(tensor.Rows, tensor.Columns);
        QetCodec.Decompress(tensor, decoded.View);
        Assert.True(MemoryMarshal.AsBytes(decoded.RowSpan(0, (int)tensor.Rows)).SequenceEqual(numbers));
        using var written = new MemoryStream();
        tensor.Write(written);
        Assert.Equal(stored, written.ToArray());
    }

    /// <summary>The page is enough to read one: a header in plain steps, then the parts as a checkpoint has them.</summary>
    [Theory]
    [InlineData("swaps")]
    [InlineData("hadamard")]
    [InlineData("learnt")]
    public void A_reader_written_from_the_format_alone_decodes_the_golden_stream(string name)
    {
        using var reader = new BinaryReader(File.OpenRead(TestFiles.Golden($"qetensor-1/{name}.qet")));
        Assert.Equal("QETensor"u8.ToArray(), reader.ReadBytes(8));
        Assert.Equal(1, reader.ReadInt32());
        int rows = (int)reader.ReadInt64(), columns = (int)reader.ReadInt64(), subspaces = reader.ReadInt32(), bits = reader.ReadInt32(), grids = reader.ReadInt32() == 1 ? subspaces : 1, rotation = reader.ReadInt32();
        reader.ReadBytes(4 + 4 + 8); // iterations, beam, seed
        (int Layers, double Share, int Centroids)[] stages = [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ => (reader.ReadInt32(), reader.ReadDouble(), reader.ReadInt32()))];
        Assert.Equal(1, stages.Sum(stage => stage.Share), 1e-9);
        var parts = new Dictionary<string, byte[]>();
        void Take(string part, double partBits) => parts[part] = reader.ReadBytes((int)Math.Ceiling(partBits / 8));
        for (int s = 0; s < stages.Length; s++)
        {
            Take($"swaps{s}", rows * columns / 2 * stages[s].Layers);
            Take($"codes{s}", rows * subspaces * Math.Ceiling(Math.Log2(stages[s].Centroids)));
            Take($"codebook{s}", columns * stages[s].Centroids * bits);
            if (bits < 32) Take($"scales{s}", 64 * grids);
        }

        if (rotation == 2) Take("rotation", 16 * columns * columns);
        Assert.Equal(-1, reader.BaseStream.ReadByte());
        var parameters = new JsonObject
        {
            ["form"] = new[] { "fitted", "hadamard", "rotated" }[rotation],
            ["subspaces"] = subspaces,
            ["swap_layers"] = new JsonArray([.. stages.Select(stage => (JsonNode)stage.Layers)]),
            ["centroids"] = new JsonArray([.. stages.Select(stage => (JsonNode)stage.Centroids)]),
            ["codebook_bits"] = bits,
            ["grid_per_group"] = grids > 1,
        };
        double[,] expected = FormatCodebooks.Decode(JsonDocument.Parse(parameters.ToJsonString()).RootElement, part => parts[part], rows, columns);
        byte[] numbers = File.ReadAllBytes(TestFiles.Golden($"qetensor-1/{name}.f32"));
        for (int i = 0; i < rows * columns; i++) Assert.Equal(expected[i / columns, i % columns], BitConverter.ToSingle(numbers, 4 * i), 1e-6);
    }

    [Fact]
    public void A_stream_that_ends_early_is_refused_wherever_it_ends()
    {
        byte[] bytes = Written();
        for (int length = 0; length < bytes.Length; length++)
        {
            TensorFormatException fault = Assert.Throws<TensorFormatException>(() => QetTensor.Read(new MemoryStream(bytes, 0, length)));
            Assert.Equal(TensorFormatError.Truncated, fault.Kind);
        }
    }

    [Theory]
    [InlineData(0, 1, TensorFormatError.Magic)]
    [InlineData(8, 2, TensorFormatError.Version)]
    [InlineData(Rows, 0, TensorFormatError.Value)]
    [InlineData(Rows, int.MaxValue, TensorFormatError.Value)]
    [InlineData(Rows, 1 << 28, TensorFormatError.Truncated)]
    [InlineData(Columns, 23, TensorFormatError.Value)]
    [InlineData(Columns + 4, -1, TensorFormatError.Value)]
    [InlineData(Subspaces, 0, TensorFormatError.Value)]
    [InlineData(CodebookBits, 17, TensorFormatError.Value)]
    [InlineData(GridPerGroup, 2, TensorFormatError.Value)]
    [InlineData(Rotation, 3, TensorFormatError.Value)]
    [InlineData(Stages, 0, TensorFormatError.Value)]
    [InlineData(Stages, 1 << 30, TensorFormatError.Value)]
    [InlineData(FirstShare + 4, 0x7FF80000, TensorFormatError.Value)]
    [InlineData(FirstCentroids, 0, TensorFormatError.Value)]
    [InlineData(FirstCentroids, 1 << 25, TensorFormatError.Value)]
    [InlineData(FirstCentroids, 1 << 24, TensorFormatError.Truncated)]
    public void A_header_that_cannot_be_is_refused_without_memory_for_what_it_says(int at, int number, TensorFormatError kind)
    {
        byte[] bytes = Written();
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), number);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(kind, Assert.Throws<TensorFormatException>(() => QetTensor.Read(new MemoryStream(bytes))).Kind);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8 << 20);
    }

    [Fact]
    public void Codes_without_centroids_and_numbers_that_are_not_finite_are_refused()
    {
        byte[] bytes = Written(), damaged = [.. bytes];
        int swaps = 90 * 24 / 2 / 8, codes = (90 * 3 * 3 + 7) / 8, codebook = (24 * 5 * 10 + 7) / 8;
        damaged[Header + swaps] = 0xFF; // code 7 of 5 centroids
        Assert.Contains("of 5 centroids", Refusal(damaged), StringComparison.Ordinal);
        damaged = [.. bytes];
        BinaryPrimitives.WriteSingleLittleEndian(damaged.AsSpan(Header + swaps + codes + codebook), float.NaN);
        Assert.Contains("scales", Refusal(damaged), StringComparison.Ordinal);
        BinaryPrimitives.WriteSingleLittleEndian(damaged.AsSpan(Header + swaps + codes + codebook), 1e35f);
        Assert.Contains("of the codebook", Refusal(damaged), StringComparison.Ordinal);
        damaged = Written(QetRotation.Learnt);
        BinaryPrimitives.WriteInt16LittleEndian(damaged.AsSpan(damaged.Length - (int)LearntRotation.BytesFor(24)), 0x4000); // a cosine of 2
        Assert.Contains("axis 0", Refusal(damaged), StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_bytes_give_a_tensor_that_decodes_or_a_refusal()
    {
        var random = new TensorCompress.Numerics.SeededRandom(4);
        using var decoded = new Matrix<float>(90, 24);
        foreach (byte[] bytes in new[] { Written(), Written(QetRotation.Learnt) })
        {
            for (int trial = 0; trial < 2000; trial++)
            {
                byte[] damaged = [.. bytes];
                for (int i = 0; i <= trial % 3; i++) damaged[random.NextInt32(trial % 2 == 0 ? Header : bytes.Length)] = (byte)random.NextInt32(256);
                try
                {
                    QetTensor tensor = QetTensor.Read(new MemoryStream(damaged));
                    if (tensor.Rows != 90 || tensor.Columns != 24) continue;
                    QetCodec.Decompress(tensor, decoded.View);
                    foreach (float number in decoded.RowSpan(0, 90)) Assert.True(float.IsFinite(number));
                }
                catch (TensorFormatException)
                {
                }
            }
        }
    }

    private static string Refusal(byte[] bytes) => Assert.Throws<TensorFormatException>(() => QetTensor.Read(new MemoryStream(bytes))).Message;

    /// <summary>Two stages of 5 and 3 centroids, one swap layer before the first.</summary>
    private static byte[] Written(QetRotation rotation = QetRotation.None)
    {
        using Matrix<float> values = RandomMatrices.Gaussian(90, 24, 6);
        QetOptions options = new(3, [new QetStageOptions(1, 0.5), new QetStageOptions(0, 0.5)]) { Rotation = rotation };
        using var stream = new MemoryStream();
        QetCodec.Compress(values.View, QetPlan.WithCentroids(90, 24, [5, 3], options)).Write(stream);
        return stream.ToArray();
    }
}
