using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using static TensorCompress.Tests.Storage.GgufBytes;

namespace TensorCompress.Tests.Storage;

/// <summary>GGUF files that must be accepted: keys, alignments, odd shapes, ranges, and a real model.</summary>
public sealed class GgufFileTests
{
    [Theory]
    [InlineData(2U)]
    [InlineData(3U)]
    public void G01BothVersions(uint version)
    {
        byte[] content = new GgufBytes { Version = version, Data = SafetensorsBytes.Data(128) }.Key("general.architecture", 8, Text("t")).Tensor("a", [32], 0, 0).Build();
        using var folder = new TemporaryFolder();
        string path = folder.Combine("model.gguf");
        File.WriteAllBytes(path, content);
        using GgufFile file = GgufFile.Open(path);
        Assert.Equal("t", file.Metadata.Text("general.architecture"));
        TensorInfo a = file.Tensors["a"];
        Assert.Equal([32L], a.Shape);
        Assert.Equal(ElementType.F32, a.ElementType);
        Assert.Equal("F32", file.StoredType("a"));
        Assert.Equal(128, file.StoredBytes("a"));
        Assert.Equal(SafetensorsBytes.Data(128), Bytes(file, "a"));
        Assert.Empty(file.Warnings);
    }

    [Fact]
    public void G02Empty()
    {
        byte[] content = new GgufBytes().Build();
        Assert.Equal(24, content.Length);
        using GgufFile file = GgufFile.Open(content);
        Assert.Empty(file.Tensors);
        Assert.Empty(file.Metadata.Keys);
    }

    [Fact]
    public void G03ScalarsOfEveryKind()
    {
        using GgufFile file = GgufFile.Open(new GgufBytes()
            .Key("u8", 0, [200]).Key("i8", 1, [0x80]).Key("u16", 2, BitConverter.GetBytes((ushort)65_000)).Key("i16", 3, BitConverter.GetBytes((short)-5))
            .Key("u32", 4, U32(uint.MaxValue)).Key("i32", 5, BitConverter.GetBytes(int.MinValue)).Key("f32", 6, BitConverter.GetBytes(0.1f)).Key("no", 7, [0]).Key("yes", 7, [1])
            .Key("text", 8, Text("ü")).Key("u64", 10, U64(ulong.MaxValue)).Key("i64", 11, BitConverter.GetBytes(long.MinValue)).Key("f64", 12, BitConverter.GetBytes(0.1)).Build());
        GgufMetadata values = file.Metadata;
        Assert.Equal(13, values.Keys.Count);
        Assert.Equal([200L, -128, 65_000, -5, uint.MaxValue, int.MinValue, long.MinValue], new[] { "u8", "i8", "u16", "i16", "u32", "i32", "i64" }.Select(key => values.Integer(key)!.Value));
        Assert.Equal([200.0, -128, 65_000, -5, uint.MaxValue, int.MinValue, ulong.MaxValue, long.MinValue, 0.1f, 0.1],
            new[] { "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64" }.Select(key => values.Number(key)!.Value));
        Assert.Equal((false, true), (values.Flag("no"), values.Flag("yes")));
        Assert.Equal("ü", values.Text("text"));
        AssertFault(TensorFormatError.Value, () => values.Integer("u64"));
        foreach (string key in new[] { "f32", "f64", "yes", "text" }) AssertFault(TensorFormatError.Type, () => values.Integer(key));
        foreach (string key in new[] { "yes", "text" }) AssertFault(TensorFormatError.Type, () => values.Number(key));
        foreach (string key in new[] { "u8", "text" }) AssertFault(TensorFormatError.Type, () => values.Flag(key));
        foreach (string key in new[] { "u8", "yes" }) AssertFault(TensorFormatError.Type, () => values.Text(key));
        AssertFault(TensorFormatError.Type, () => values.Texts("text"));
        Assert.Null(values.Integer("missing") ?? (object?)values.Number("missing") ?? values.Flag("missing") ?? (object?)values.Text("missing"));
        Assert.Null(values.Texts("missing") ?? (object?)values.Integers("missing") ?? values.Singles("missing"));
    }

    [Fact]
    public void G03ListsOfEveryKind()
    {
        using GgufFile file = GgufFile.Open(new GgufBytes()
            .Key("u8", 9, List(0, 2, [1, 255])).Key("i8", 9, List(1, 2, [1, 255])).Key("u16", 9, List(2, 2, [1, 0, 255, 255])).Key("i16", 9, List(3, 2, [1, 0, 255, 255]))
            .Key("u32", 9, List(4, 2, U32(1), U32(int.MaxValue))).Key("i32", 9, List(5, 2, U32(1), U32(0x80000000))).Key("f32", 9, List(6, 1, BitConverter.GetBytes(0.1f)))
            .Key("flags", 9, List(7, 2, [0, 1])).Key("texts", 9, List(8, 3, Text(""), Text("ü"), RawText([0xFF]))).Key("u64", 9, List(10, 2, U64(1), U64(int.MaxValue)))
            .Key("i64", 9, List(11, 2, U64(1), U64(ulong.MaxValue))).Key("f64", 9, List(12, 1, BitConverter.GetBytes(0.1))).Key("large", 9, List(10, 1, U64(ulong.MaxValue)))
            .Key("none", 9, List(8, 0)).Key("nothing", 9, List(5, 0)).Build());
        GgufMetadata values = file.Metadata;
        (string Key, int[] Numbers)[] integers =
        [
            ("u8", [1, 255]), ("i8", [1, -1]), ("u16", [1, 65_535]), ("i16", [1, -1]), ("u32", [1, int.MaxValue]), ("i32", [1, int.MinValue]), ("u64", [1, int.MaxValue]), ("i64", [1, -1]),
            ("none", []), ("nothing", []),
        ];
        foreach ((string key, int[] numbers) in integers) Assert.Equal(numbers, values.Integers(key));
        Assert.Equal([0.1f], values.Singles("f32"));
        Assert.Equal([(float)0.1], values.Singles("f64"));
        Assert.Equal(["", "ü", "\uFFFD"], values.Texts("texts")); // row G-19: bytes that are no UTF-8 do not refuse the file
        AssertFault(TensorFormatError.Value, () => values.Integers("large"));
        foreach (string key in new[] { "f32", "flags", "texts" }) AssertFault(TensorFormatError.Type, () => values.Integers(key));
        foreach (string key in new[] { "u8", "flags", "texts" }) AssertFault(TensorFormatError.Type, () => values.Singles(key));
        AssertFault(TensorFormatError.Type, () => values.Texts("u8"));
    }

    [Fact]
    public void G19TextThatIsNoUtf8IsRefusedWhereItIsShown()
    {
        using GgufFile file = GgufFile.Open(new GgufBytes().Key("k", 8, RawText([0xFF])).Build());
        AssertFault(TensorFormatError.Encoding, () => file.Metadata.Text("k"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(64)]
    [InlineData(4096)]
    public void G04Alignments(int alignment)
    {
        ulong second = (ulong)((12 + alignment - 1) / alignment * alignment);
        byte[] content = new GgufBytes { Alignment = alignment, Data = SafetensorsBytes.Data((int)second + 8) }
            .Key("general.alignment", 4, U32((uint)alignment)).Tensor("a", [3], 0, 0).Tensor("b", [2], 0, second).Build();
        using GgufFile file = GgufFile.Open(content);
        Assert.Equal(SafetensorsBytes.Data(12), Bytes(file, "a"));
        Assert.Equal(SafetensorsBytes.Data((int)second + 8)[(int)second..], Bytes(file, "b"));
    }

    [Fact]
    public void G05ToG07EmptyScalarAndUnpadded()
    {
        byte[] content = new GgufBytes { Data = SafetensorsBytes.Data(64 + 12) }.Tensor("empty", [32, 0], 0, 0).Tensor("scalar", [], 0, 0).Tensor("matrix", [2, 3], 1, 32).Tensor("last", [3], 0, 64).Build();
        using GgufFile file = GgufFile.Open(content);
        Assert.Equal([0L, 32], file.Tensors["empty"].Shape);
        Assert.Empty(Bytes(file, "empty"));
        Assert.Empty(file.Tensors["scalar"].Shape);
        Assert.Equal(SafetensorsBytes.Data(4), Bytes(file, "scalar"));
        Assert.Equal([3L, 2], file.Tensors["matrix"].Shape); // row-major: the fastest dimension last
        Assert.Equal(12, file.StoredBytes("matrix"));
        Assert.Equal(SafetensorsBytes.Data(76)[64..], Bytes(file, "last"));
    }

    [Fact]
    public void G40MoreDataIsAWarning()
    {
        byte[] content = [.. Base().Build(), .. new byte[1 << 20]];
        using GgufFile file = GgufFile.Open(content);
        Assert.Contains("1048576", Assert.Single(file.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void G11TheMessageNamesTheByteOrder()
    {
        byte[] content = new GgufBytes { Version = 0x03000000 }.Build();
        Assert.Contains("byte order", ReaderVerdicts.Rejected(() => GgufFile.Open(content), TensorFormatError.Version).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RangesOutsideATensorAreTheCallersFault()
    {
        using GgufFile file = GgufFile.Open(Base().Build());
        foreach ((long offset, int count) in new[] { (-1L, 1), (32L, 1), (0L, 33), (long.MaxValue, 1), (long.MinValue, 0) })
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadSingles("a", offset, new float[count]));
            Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadBytes("a", offset > 0 && offset < long.MaxValue ? 4 * offset : offset, new byte[4 * count]));
        }

        Assert.Throws<KeyNotFoundException>(() => file.ReadSingles("b", 0, new float[1]));
    }

    [SharedFact]
    public void SmolLm2IsReadWhole()
    {
        using GgufFile file = GgufFile.Open(SharedData.Path("models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"));
        Assert.Equal(272, file.Tensors.Count); // 30 layers of 9, embedding and last norm
        Assert.Equal("llama", file.Metadata.Text("general.architecture"));
        Assert.Equal(30, file.Metadata.Integer("llama.block_count"));
        Assert.Equal([49_152L, 576], file.Tensors["token_embd.weight"].Shape);
        Assert.Equal([192L, 576], file.Tensors["blk.0.attn_k.weight"].Shape);
        Assert.Equal(("Q4_1", 192L * 576 / 32 * 20), (file.StoredType("blk.0.attn_k.weight"), file.StoredBytes("blk.0.attn_k.weight")));
        Assert.True(file.IsQuantized("blk.0.attn_k.weight"));
        Assert.Equal("F32", file.StoredType("output_norm.weight"));
        Assert.Equal(49_152, file.Metadata.Texts("tokenizer.ggml.tokens")!.Count);
        Assert.Empty(file.Warnings);
        foreach (TensorInfo tensor in file.Tensors.Values)
        {
            var row = new float[tensor.Shape[^1]];
            file.ReadSingles(tensor.Name, tensor.ElementCount - row.Length, row);
            Assert.All(row, value => Assert.True(float.IsFinite(value)));
        }
    }

    private static byte[] Bytes(GgufFile file, string name)
    {
        // Tensors of floats only: the bytes read are the bytes stored.
        var bytes = new byte[file.Tensors[name].ByteLength];
        file.ReadBytes(name, 0, bytes);
        return bytes;
    }

    private static void AssertFault(TensorFormatError kind, Func<object?> read) => Assert.Equal(kind, Assert.Throws<TensorFormatException>(read).Kind);
}
