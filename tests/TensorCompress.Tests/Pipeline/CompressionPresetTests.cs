using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Compression.Scalar;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Pipeline;

public class CompressionPresetTests
{
    private static string Model => TestFiles.Golden("format-1/model");

    [Fact]
    public void Blocks_and_embedding_get_their_methods()
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(Model);
        var options = new DbfOptions(1.5);
        string[] names = [.. checkpoint.Definition.Linears.Select(linear => linear.Name)];
        IReadOnlyDictionary<string, MethodOptions> resolved = CompressionPreset.Get("dbf").Recipe(checkpoint.Definition, options).Resolve(names);
        Assert.Equal(names.Order(), resolved.Keys.Order());
        Assert.All(resolved, entry => Assert.Equal(entry.Key == checkpoint.Definition.TokenEmbedding.Name ? CompressionPreset.Dbf.Head : options, entry.Value));
        MethodOptions head = new ScalarOptions(bits: 8);
        Assert.Equal(head, CompressionPreset.Dbf.Recipe(checkpoint.Definition, options, head).Resolve(names)[checkpoint.Definition.TokenEmbedding.Name]);
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(Model);
        Assert.Contains("dbf", Assert.Throws<NotSupportedException>(() => CompressionPreset.Get("no")).Message, StringComparison.Ordinal);
        Assert.Contains("scalar", Assert.Throws<ArgumentException>(() => CompressionPreset.Dbf.Recipe(checkpoint.Definition, new ScalarOptions())).Message, StringComparison.Ordinal);
    }
}
