using System.Diagnostics;
using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tests.TestKit;
using static TensorCompress.Tests.Storage.SafetensorsBytes;
using Kind = TensorCompress.Storage.TensorFormatError;

namespace TensorCompress.Tests.Storage;

/// <summary>Which folders are checkpoints, and what is said about those that are not.</summary>
public sealed class CheckpointFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void OneFileWithItsCompanions()
    {
        Write("config.json", """{"model_type":"llama","hidden_size":64}""");
        Write("model.safetensors", Base);
        foreach (string name in new[] { "tokenizer.json", "merges.txt", "tok512.bin", "README.md", "optimizer.bin" }) Write(name, "{}");
        using CheckpointFolder checkpoint = CheckpointFolder.Open(_folder.Path);
        Assert.Equal(64, checkpoint.Configuration.GetProperty("hidden_size").GetInt32());
        Assert.Equal(["a"], checkpoint.Tensors.Tensors.Keys);
        Assert.Equal([_folder.Combine("model.safetensors")], checkpoint.WeightFiles);
        Assert.Equal(["tokenizer.json", "merges.txt", "tok512.bin"], checkpoint.Files.Select(Path.GetFileName));
        Assert.Empty(checkpoint.Warnings);
    }

    [Fact]
    public void TheOnlySafetensorsFileIsTaken()
    {
        Write("config.json", "{}");
        Write("model.f32.safetensors", Base);
        using CheckpointFolder checkpoint = CheckpointFolder.Open(_folder.Path);
        Assert.Equal([_folder.Combine("model.f32.safetensors")], checkpoint.WeightFiles);
    }

    [Fact]
    public void IndexAndShards()
    {
        Write("config.json", "{}");
        Write("model-1.safetensors", Base);
        Write("model-2.safetensors", Of($"{{{Entry("b", "U8", "[4]", 0, 4)}}}", Data(4)));
        Write("model.safetensors.index.json", """{"metadata":{"total_size":1},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}""");
        using CheckpointFolder checkpoint = CheckpointFolder.Open(_folder.Path);
        Assert.Equal(["a", "b"], checkpoint.Tensors.Tensors.Keys);
        Assert.Equal(["model-1.safetensors", "model-2.safetensors"], checkpoint.WeightFiles.Select(Path.GetFileName));
        Assert.Single(checkpoint.Warnings);
    }

    [Fact]
    public void NoFolderOrNoConfiguration()
    {
        Assert.Throws<DirectoryNotFoundException>(() => CheckpointFolder.Open(_folder.Combine("missing")));
        Write("model.safetensors", Base);
        Assert.Contains("config.json", Refused(Kind.Structure).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NoTensors()
    {
        Write("config.json", "{}");
        Write("tokenizer.json", "{}");
        Write("tok512.bin", "");
        Assert.Contains("model.safetensors", Refused(Kind.Structure).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TwoSafetensorsFiles()
    {
        Write("config.json", "{}");
        Write("a.safetensors", Base);
        Write("b.safetensors", Base);
        Refused(Kind.Inconsistent);
        Write("model.safetensors", Base); // the usual name says which one is meant
        using CheckpointFolder checkpoint = CheckpointFolder.Open(_folder.Path);
        Assert.Equal([_folder.Combine("model.safetensors")], checkpoint.WeightFiles);
    }

    [Theory]
    [InlineData("pytorch_model.bin")]
    [InlineData("model.pt")]
    [InlineData("model.pth")]
    [InlineData("last.ckpt")]
    [InlineData("MODEL.PKL")]
    public void Z01PickleOnlyIsToldToConvert(string name)
    {
        Write("config.json", "{}");
        Write(name, [0x80, 0x02, 0x2E]);
        TensorFormatException fault = Refused(Kind.Unsupported);
        Assert.Contains(name, fault.Message, StringComparison.Ordinal);
        Assert.Contains("convert it to safetensors", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Z02AZipCheckpointIsToldToConvert()
    {
        Write("config.json", "{}");
        Write("pytorch_model.bin", [0x50, 0x4B, 0x03, 0x04, 0x14, 0x00]);
        Assert.Contains("convert it to safetensors", Refused(Kind.Unsupported).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[] { 0x80, 0x02, 0x7D, 0x71, 0x00, 0x2E, 0x00, 0x00, 0x00 })]
    [InlineData(new byte[] { 0x50, 0x4B, 0x03, 0x04, 0x14, 0x00, 0x00, 0x00, 0x08 })]
    public void Z03RenamedPickleIsNotReadByAnotherParser(byte[] content)
    {
        Write("config.json", "{}");
        Write("model.safetensors", content);
        Refused(Kind.Limit, Kind.Truncated);
        ReaderVerdicts.Rejected(() => GgufFile.Open(content), Kind.Magic);
    }

    [Theory]
    [InlineData("""{"hidden_size":64,"hidden_size":65}""", Kind.Duplicate)]
    [InlineData("""{"hidden_size":64,"hidden_\u0073ize":65}""", Kind.Duplicate)]
    [InlineData("""{"rope":{"a":1,"a":2}}""", Kind.Duplicate)]
    [InlineData("""{"x":"\ud800"}""", Kind.Encoding)]
    [InlineData("""{"\udc00":1}""", Kind.Encoding)]
    [InlineData("""{"x":NaN}""", Kind.Encoding)]
    [InlineData("""{"x":1,}""", Kind.Encoding)]
    [InlineData("""{"x":1} {}""", Kind.Encoding)]
    [InlineData("""{"depth":[""", Kind.Encoding)]
    [InlineData("", Kind.Encoding)]
    [InlineData("[]", Kind.Structure)]
    [InlineData("1e400", Kind.Structure)]
    public void Z06MalformedConfiguration(string json, Kind kind)
    {
        Write("config.json", json);
        Write("model.safetensors", Base);
        Assert.Equal(_folder.Combine("config.json"), Refused(kind).File);
    }

    [Fact]
    public void Z06DepthAndSizeOfTheConfiguration()
    {
        Write("model.safetensors", Base);
        Write("config.json", Nested(63)); // with the root 64 levels
        CheckpointFolder.Open(_folder.Path).Dispose();
        Write("config.json", Nested(64));
        Refused(Kind.Limit);
        Write("config.json", Nested(1000));
        Refused(Kind.Limit);
        Write("config.json", "{}".PadRight(16 << 20));
        CheckpointFolder.Open(_folder.Path).Dispose();
        Write("config.json", "{}".PadRight((16 << 20) + 1));
        Refused(Kind.Limit);
        Write("config.json", [0x7B, 0xFF, 0x7D]);
        Refused(Kind.Encoding);

        static string Nested(int levels) => "{\"x\":" + new string('[', levels) + new string(']', levels) + "}";
    }

    [LinuxFact]
    public void Z10APipeNamedConfigurationIsRefusedWithoutWaiting()
    {
        using (Process pipe = Process.Start("mkfifo", _folder.Combine("config.json"))) pipe.WaitForExit();
        Write("model.safetensors", Base);
        Refused(Kind.Unsupported);
    }

    [Fact]
    public void Z10ManyFilesAreNoBurden()
    {
        Write("config.json", "{}");
        Write("model.safetensors", Base);
        for (int i = 0; i < 10_000; i++) File.Create(_folder.Combine($"{i}.txt")).Dispose();
        long before = GC.GetAllocatedBytesForCurrentThread();
        CheckpointFolder.Open(_folder.Path).Dispose();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void ADamagedModelLeavesNothingOpen()
    {
        Write("config.json", "{}");
        Write("model.safetensors", Base[..^1]);
        Refused(Kind.Truncated);
        // On systems that refuse to delete open files this fails where a handle is left.
        File.Delete(_folder.Combine("config.json"));
        File.Delete(_folder.Combine("model.safetensors"));
    }

    private void Write(string name, string text) => File.WriteAllText(_folder.Combine(name), text);

    private void Write(string name, byte[] content) => File.WriteAllBytes(_folder.Combine(name), content);

    private TensorFormatException Refused(params Kind[] kinds) => ReaderVerdicts.Rejected(() => CheckpointFolder.Open(_folder.Path), kinds);
}
