using FsCheck;
using FsCheck.Fluent;
using TensorCompress.Numerics;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Storage;

/// <summary>Property: what is written is read back bit for bit, whatever the types, shapes, names and metadata.</summary>
public sealed class SafetensorsRoundTripTests
{
    private const ulong Seed = 20_260_301;

    [Fact]
    public void WrittenFilesReadBack()
    {
        // FsCheck prints the seed and the shrunk case of a failure.
        Config configuration = Config.QuickThrowOnFailure.WithMaxTest(200).WithReplay(Seed, 1);
        Check.One(configuration, Prop.ForAll(Models().ToArbitrary(), RoundTrips));
    }

    [Fact]
    public void TheGeneratorReachesEveryTypeAndTheOddShapes()
    {
        Model[] models = [.. Models().Sample(50, new Rnd(Seed, 1), 300)];
        IEnumerable<TensorInfo> tensors = models.SelectMany(model => model.Tensors);
        Assert.Equal(Enum.GetValues<ElementType>().Order(), tensors.Select(tensor => tensor.ElementType).Distinct().Order());
        Assert.Contains(tensors, tensor => tensor.Shape.Count == 0);
        Assert.Contains(tensors, tensor => tensor.ElementCount == 0);
        Assert.Contains(tensors, tensor => tensor.Shape.Count == 4 && tensor.ElementCount > 1);
        Assert.Contains(models, model => model.Tensors.Length == 0);
        Assert.Contains(models, model => model.Metadata.Count > 1);
    }

    private static bool RoundTrips(Model model)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Combine("model.safetensors");
        var random = new SeededRandom(Seed);
        Dictionary<string, byte[]> contents = [];
        using (SafetensorsWriter writer = SafetensorsWriter.Create(path, model.Metadata))
        {
            foreach (TensorInfo tensor in model.Tensors)
            {
                var bytes = new byte[tensor.ByteLength];
                for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)random.NextUInt64();
                contents.Add(tensor.Name, bytes);
                // Both ways to add, the callback in two pieces.
                if (bytes.Length % 2 == 0) writer.Add(tensor, bytes);
                else writer.Add(tensor, stream => { stream.Write(bytes, 0, bytes.Length / 2); stream.Write(bytes, bytes.Length / 2, bytes.Length - bytes.Length / 2); });
            }

            writer.Complete();
        }

        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Empty(file.Warnings);
        Assert.Equal(model.Metadata, file.Metadata);
        Assert.Equal(model.Tensors.Select(tensor => tensor.Name), file.Tensors.Keys);
        foreach (TensorInfo tensor in model.Tensors)
        {
            TensorInfo read = file.Tensors[tensor.Name];
            Assert.Equal(tensor.ElementType, read.ElementType);
            Assert.Equal(tensor.Shape, read.Shape);
            var bytes = new byte[read.ByteLength];
            file.ReadBytes(tensor.Name, 0, bytes);
            Assert.Equal(contents[tensor.Name], bytes);
            int middle = bytes.Length / 3;
            var part = new byte[bytes.Length - middle];
            file.ReadBytes(tensor.Name, middle, part);
            Assert.Equal(bytes[middle..], part);
        }

        return true;
    }

    private static Gen<Model> Models() =>
        from count in Gen.Choose(0, 6)
        from tensors in Gen.ArrayOf(Tensors(), count)
        from names in Gen.ArrayOf(Texts(), count)
        from metadata in Gen.ListOf(Gen.Zip(Texts(), Texts()))
        select new Model(
            [.. tensors.Zip(names, (tensor, name) => tensor with { Name = name }).DistinctBy(tensor => tensor.Name)],
            metadata.DistinctBy(entry => entry.Item1).ToDictionary(entry => entry.Item1, entry => entry.Item2));

    private static Gen<TensorInfo> Tensors() =>
        from type in Gen.Elements(Enum.GetValues<ElementType>())
        from rank in Gen.Choose(0, 4)
        from shape in Gen.ArrayOf(Gen.Frequency((1, Gen.Constant(0)), (9, Gen.Choose(1, 7))), rank)
        select Whole(new TensorInfo("", type, [.. shape.Select(dimension => (long)dimension)]));

    // Types below a byte need a number of elements that fills bytes.
    private static TensorInfo Whole(TensorInfo tensor) =>
        tensor.ElementCount * tensor.ElementType.BitWidth() % 8 == 0 ? tensor : tensor with { Shape = [.. tensor.Shape, 4] };

    // Names as they come in checkpoints, and what JSON must escape.
    private static Gen<string> Texts() => Gen.OneOf(
        Gen.Choose(0, 40).Select(layer => $"model.layers.{layer}.weight"),
        Gen.Elements("", "ü", "\U00020000", "\"", "\\", "/", "</script>", "{", "\u2028", "data_offsets", "dtype", "__metadata", " "),
        from letters in Gen.ArrayOf(Gen.Choose(0x20, 0x7E), 5)
        select new string([.. letters.Select(letter => (char)letter)]));

    private sealed record Model(TensorInfo[] Tensors, Dictionary<string, string> Metadata)
    {
        public override string ToString() => string.Join("; ", Tensors.Select(tensor => $"{tensor.Name}: {tensor.ElementType} [{string.Join(", ", tensor.Shape)}]")) + $"; {Metadata.Count} metadata";
    }
}
