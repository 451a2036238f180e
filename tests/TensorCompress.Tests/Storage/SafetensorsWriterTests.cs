using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using static TensorCompress.Tests.Storage.SafetensorsBytes;

namespace TensorCompress.Tests.Storage;

/// <summary>What the writer refuses (row S-69), and that nothing but a finished file is ever seen.</summary>
public sealed class SafetensorsWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.Combine("out.safetensors");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void S69MetadataBeyondTheHeaderAreRefusedAtOnce()
    {
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Create(Path, new Dictionary<string, string> { ["k"] = new('v', 100_000_001) }));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Create(Path, new Dictionary<string, string> { ["k"] = "\ud800" }));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Create(Path, new Dictionary<string, string> { ["\udc00"] = "v" }));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void S69EscapesBeyondTheHeaderAreRefusedBeforeTheFileAppears()
    {
        // A quotation mark takes six bytes in JSON: the sum of the texts is allowed, the header is not.
        using (SafetensorsWriter writer = SafetensorsWriter.Create(Path, new Dictionary<string, string> { ["k"] = new('"', 20_000_000) }))
            Assert.Throws<ArgumentException>(writer.Complete);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData("a\0b")]
    [InlineData("\u001b[2J")]
    [InlineData("a\nb")]
    [InlineData("__metadata__")]
    public void S69NamesThatReadersRefuse(string name) => Refused(new TensorInfo(name, ElementType.U8, [1]), new byte[1]);

    [Fact]
    public void S69LongNamesAndShapesThatReadersRefuse()
    {
        Refused(new TensorInfo("\ud800", ElementType.U8, [1]), new byte[1]); // the JSON writer would make U+FFFD of it
        Refused(new TensorInfo(new string('ü', 32_768), ElementType.U8, [1]), new byte[1]);
        Refused(new TensorInfo("a", ElementType.U8, [-1]), []);
        Refused(new TensorInfo("a", ElementType.U8, [.. Enumerable.Repeat(1L, 65)]), new byte[1]);
        Refused(new TensorInfo("a", ElementType.F32, [1L << 61]), []);
        Refused(new TensorInfo("a", ElementType.F32, [1L << 40, 1L << 40]), []);
        Refused(new TensorInfo("a", ElementType.F32, [0, 1L << 40, 1L << 40]), []);
        Refused(new TensorInfo("a", ElementType.F4, [3]), new byte[2]);
        Refused(new TensorInfo("a", ElementType.F32, [2]), new byte[7]);
    }

    [Fact]
    public void S69TwoTensorsOfOneName()
    {
        using SafetensorsWriter writer = SafetensorsWriter.Create(Path);
        writer.Add(new TensorInfo("a", ElementType.U8, [1]), [7]);
        Assert.Throws<ArgumentException>(() => writer.Add(new TensorInfo("a", ElementType.U8, [1]), [8]));
        Assert.Throws<ArgumentException>(() => writer.Add(new TensorInfo("a", ElementType.I8, [1]), stream => stream.WriteByte(8)));
        writer.Complete();
        using SafetensorsFile file = SafetensorsFile.Open(Path);
        Assert.Equal([7], Read(file, "a"));
    }

    [Fact]
    public void NothingIsLeftWithoutComplete()
    {
        File.WriteAllText(Path, "old");
        using (SafetensorsWriter writer = SafetensorsWriter.Create(Path)) writer.Add(new TensorInfo("a", ElementType.U8, [100_000]), new byte[100_000]);
        Assert.Equal([Path], Directory.GetFileSystemEntries(_folder.Path));
        Assert.Equal("old", File.ReadAllText(Path));
    }

    [Fact]
    public void AFailedTensorLeavesNoHole()
    {
        using (SafetensorsWriter writer = SafetensorsWriter.Create(Path))
        {
            writer.Add(new TensorInfo("a", ElementType.U8, [4]), Data(4));
            var b = new TensorInfo("b", ElementType.U8, [4]);
            Assert.Throws<TimeoutException>(() => writer.Add(b, stream =>
            {
                stream.Write([9, 9, 9]);
                throw new TimeoutException();
            }));
            Assert.Throws<InvalidOperationException>(() => writer.Add(b, stream => stream.Write([9, 9, 9])));
            Assert.Throws<InvalidOperationException>(() => writer.Add(b, stream => stream.Write([9, 9, 9, 9, 9])));
            Assert.Throws<ArgumentException>(() => writer.Add(b, [9, 9, 9]));
            writer.Add(b, stream => stream.Write([1, 2, 3, 4]));
            writer.Complete();
        }

        Assert.Equal([Path], Directory.GetFileSystemEntries(_folder.Path));
        using SafetensorsFile file = SafetensorsFile.Open(Path);
        Assert.Equal(Data(4), Read(file, "a"));
        Assert.Equal([1, 2, 3, 4], Read(file, "b"));
    }

    [Fact]
    public void AFinishedWriterTakesNothingMore()
    {
        SafetensorsWriter writer = SafetensorsWriter.Create(Path);
        writer.Complete();
        Assert.Throws<ObjectDisposedException>(() => writer.Add(new TensorInfo("a", ElementType.U8, [1]), [1]));
        Assert.Throws<ObjectDisposedException>(writer.Complete);
        writer.Dispose();
        using SafetensorsFile file = SafetensorsFile.Open(Path);
        Assert.Empty(file.Tensors);
    }

    [Fact]
    public void DataBeginAtAMultipleOfEightAndMetadataAreOrdered()
    {
        for (int length = 0; length < 9; length++)
        {
            byte[] first = Written(new() { ["b"] = new('x', length), ["a"] = "ü" });
            Assert.Equal(0UL, BitConverter.ToUInt64(first) % 8);
            Assert.Equal(first, Written(new() { ["a"] = "ü", ["b"] = new('x', length) }));
        }

        byte[] Written(Dictionary<string, string> metadata)
        {
            using SafetensorsWriter writer = SafetensorsWriter.Create(Path, metadata);
            writer.Add(new TensorInfo("t", ElementType.U8, [3]), Data(3));
            writer.Complete();
            return File.ReadAllBytes(Path);
        }
    }

    private void Refused(TensorInfo tensor, byte[] bytes)
    {
        using (SafetensorsWriter writer = SafetensorsWriter.Create(Path))
        {
            Assert.Throws<ArgumentException>(() => writer.Add(tensor, bytes));
            writer.Complete();
        }

        // What was refused has left no trace in the file.
        using SafetensorsFile file = SafetensorsFile.Open(Path);
        Assert.Empty(file.Tensors);
        Assert.Equal(0UL, BitConverter.ToUInt64(File.ReadAllBytes(Path)) % 8);
    }

    private static byte[] Read(SafetensorsFile file, string name)
    {
        var bytes = new byte[file.Tensors[name].ByteLength];
        file.ReadBytes(name, 0, bytes);
        return bytes;
    }
}
