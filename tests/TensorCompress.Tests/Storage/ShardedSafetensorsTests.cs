using System.Text.Json;
using TensorCompress.Storage;
using TensorCompress.Tests.TestKit;
using static TensorCompress.Tests.Storage.SafetensorsBytes;
using Kind = TensorCompress.Storage.TensorFormatError;

namespace TensorCompress.Tests.Storage;

/// <summary>Sharded models: rows X-01 to X-10, each an index and its shards.</summary>
public sealed class ShardedSafetensorsTests : IDisposable
{
    private const string First = "model-00001-of-00002.safetensors";
    private const string Second = "model-00002-of-00002.safetensors";

    private readonly TemporaryFolder _folder = new();

    private string IndexPath => _folder.Combine("model.safetensors.index.json");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TwoShardsReadAsOneModel()
    {
        WriteShards();
        WriteIndex("""{"metadata":{"total_size":20},"weight_map":{"a":"FIRST","b":"SECOND"}}""");
        using ShardedSafetensors model = ShardedSafetensors.Open(IndexPath);
        Assert.Equal(["a", "b"], model.Tensors.Keys);
        Assert.Equal([_folder.Combine(First), _folder.Combine(Second)], model.Files);
        Assert.Empty(model.Warnings);
        var bytes = new byte[16];
        model.ReadBytes("a", 0, bytes);
        Assert.Equal(Data(16), bytes);
        var values = new float[4];
        model.ReadSingles("b", 0, values);
        Assert.Equal([0f, 1f, 2f, 3f], values);
        Assert.Throws<KeyNotFoundException>(() => model.ReadBytes("c", 0, bytes));
    }

    [Fact]
    public void X01MissingShard()
    {
        WriteShards();
        WriteIndex("""{"weight_map":{"a":"FIRST","b":"model-00003-of-00003.safetensors"}}""");
        Refused(Kind.Inconsistent);
    }

    [Theory]
    [InlineData("../b.safetensors")]
    [InlineData("/b")]
    [InlineData("/b.safetensors")]
    [InlineData("a/b")]
    [InlineData("a/b.safetensors")]
    [InlineData("a\\b")]
    [InlineData("a\\b.safetensors")]
    [InlineData("b\0")]
    [InlineData("b\0.safetensors")]
    [InlineData("CON")]
    [InlineData("CON.safetensors")]
    [InlineData("lpt1.x.safetensors")]
    [InlineData("C:b.safetensors")]
    [InlineData("..")]
    [InlineData("")]
    public void X02UnsafeShardName(string name)
    {
        // The file that the name means is there and good where that is possible, so that only the name can be the reason.
        WriteShards();
        string target = Path.GetFullPath(Path.Combine(_folder.Path, "inner"));
        Directory.CreateDirectory(target);
        File.WriteAllBytes(_folder.Combine("b.safetensors"), Base);
        string index = Path.Combine(target, "model.safetensors.index.json");
        File.WriteAllText(index, "{\"weight_map\":{\"a\":" + JsonSerializer.Serialize(name) + "}}");
        ReaderVerdicts.Rejected(() => ShardedSafetensors.Open(index), Kind.UnsafePath);
    }

    [LinuxFact]
    public void X03SymbolicLinkIsFollowed()
    {
        string blobs = _folder.Combine("blobs");
        Directory.CreateDirectory(blobs);
        File.WriteAllBytes(Path.Combine(blobs, "0123abcd"), Base);
        File.CreateSymbolicLink(_folder.Combine(First), Path.Combine("blobs", "0123abcd"));
        WriteIndex("""{"weight_map":{"a":"FIRST"}}""");
        using ShardedSafetensors model = ShardedSafetensors.Open(IndexPath);
        var bytes = new byte[16];
        model.ReadBytes("a", 0, bytes);
        Assert.Equal(Data(16), bytes);
    }

    [Fact]
    public void X04TensorIsNotInItsShard()
    {
        WriteShards();
        WriteIndex("""{"weight_map":{"a":"SECOND","b":"SECOND"}}""");
        TensorFormatException fault = Refused(Kind.Inconsistent);
        Assert.Equal("a", fault.Tensor);
    }

    [Fact]
    public void X05TensorInTwoShards()
    {
        File.WriteAllBytes(_folder.Combine(First), Base);
        File.WriteAllBytes(_folder.Combine(Second), Of($"{{{Entry("a", "F32", "[2,2]", 0, 16)},{Entry("b", "U8", "[4]", 16, 20)}}}", Data(20)));
        WriteIndex("""{"weight_map":{"a":"FIRST","b":"SECOND"}}""");
        Assert.Equal("a", Refused(Kind.Duplicate).Tensor);
    }

    [Fact]
    public void X06TensorThatTheIndexLacksIsAWarning()
    {
        WriteShards();
        File.WriteAllBytes(_folder.Combine(Second), Of($"{{{Entry("b", "U8", "[4]", 0, 4)},{Entry("c", "U8", "[4]", 4, 8)}}}", Data(8)));
        WriteIndex("""{"weight_map":{"a":"FIRST","b":"SECOND"}}""");
        using ShardedSafetensors model = ShardedSafetensors.Open(IndexPath);
        Assert.Contains("tensor c", Assert.Single(model.Warnings), StringComparison.Ordinal);
        var bytes = new byte[4];
        model.ReadBytes("c", 0, bytes);
        Assert.Equal(Data(8)[4..], bytes);
    }

    [Theory]
    [InlineData("21")]
    [InlineData("-1")]
    [InlineData("1e400")]
    [InlineData("99999999999999999999999999")]
    public void X07WrongTotalSizeIsAWarning(string size)
    {
        WriteShards();
        WriteIndex("""{"metadata":{"total_size":SIZE},"weight_map":{"a":"FIRST","b":"SECOND"}}""".Replace("SIZE", size, StringComparison.Ordinal));
        using ShardedSafetensors model = ShardedSafetensors.Open(IndexPath);
        Assert.Contains("20", Assert.Single(model.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{}""", Kind.Structure)]
    [InlineData("""{"weight_map":[]}""", Kind.Structure)]
    [InlineData("""{"weight_map":null}""", Kind.Structure)]
    [InlineData("""{"weight_map":{"a":1}}""", Kind.Structure)]
    [InlineData("""{"weight_map":{"a":null}}""", Kind.Structure)]
    [InlineData("""[]""", Kind.Structure)]
    [InlineData("""{"weight_map":{},"weight_map":{}}""", Kind.Duplicate)]
    [InlineData("""{"weight_map":{"a":"FIRST","a":"FIRST"}}""", Kind.Duplicate)]
    [InlineData("""{"weight_map":{"a":"FIRST","\u0061":"SECOND"}}""", Kind.Duplicate)]
    [InlineData("""{"weight_map":{"a":"\ud800.safetensors"}}""", Kind.Encoding)]
    [InlineData("""{"weight_map":{"\udc00":"FIRST"}}""", Kind.Encoding)]
    [InlineData("""{"weight_map":{"a":"FIRST"}""", Kind.Encoding)]
    [InlineData("", Kind.Encoding)]
    public void X08MalformedIndex(string index, Kind kind)
    {
        WriteShards();
        WriteIndex(index);
        Refused(kind);
    }

    [Fact]
    public void X09TooManyShards()
    {
        WriteIndex($"{{\"weight_map\":{{{string.Join(",", Enumerable.Range(0, 10_001).Select(i => $"\"t{i}\":\"s{i}.safetensors\""))}}}}}");
        Refused(Kind.Limit);
    }

    [Fact]
    public void X10ShardsOfDifferentRuns()
    {
        WriteIndex("""{"weight_map":{"a":"FIRST","b":"SECOND"}}""");
        WriteShard(First, "a", "run-1");
        WriteShard(Second, "b", "run-2");
        Refused(Kind.Inconsistent);
        WriteShard(Second, "b", null);
        Refused(Kind.Inconsistent);
        WriteShard(Second, "b", "run-1");
        using ShardedSafetensors model = ShardedSafetensors.Open(IndexPath);
        Assert.Equal(2, model.Tensors.Count);
    }

    [Fact]
    public void ADamagedShardIsNamed()
    {
        WriteShards();
        File.WriteAllBytes(_folder.Combine(Second), Base[..^1]);
        WriteIndex("""{"weight_map":{"a":"FIRST","b":"SECOND"}}""");
        Assert.Equal(_folder.Combine(Second), Refused(Kind.Truncated).File);
    }

    private void WriteShards()
    {
        File.WriteAllBytes(_folder.Combine(First), Base);
        File.WriteAllBytes(_folder.Combine(Second), Of($"{{{Entry("b", "U8", "[4]", 0, 4)}}}", Data(4)));
    }

    private void WriteShard(string file, string tensor, string? run)
    {
        string metadata = run is null ? "" : $"\"__metadata__\":{{\"{ShardedSafetensors.RunKey}\":\"{run}\"}},";
        File.WriteAllBytes(_folder.Combine(file), Of($"{{{metadata}{Entry(tensor, "U8", "[4]", 0, 4)}}}", Data(4)));
    }

    private void WriteIndex(string json) =>
        File.WriteAllText(IndexPath, json.Replace("FIRST", First, StringComparison.Ordinal).Replace("SECOND", Second, StringComparison.Ordinal));

    private TensorFormatException Refused(Kind kind) => ReaderVerdicts.Rejected(() => ShardedSafetensors.Open(IndexPath), kind);
}
