namespace TensorCompress.Tests.Architecture;

public class DependencyTests
{
    private const string Library = "src/TensorCompress";

    [Fact]
    public void Folders_refer_only_to_folders_below_them()
    {
        string[] faults =
        [
            .. Repository.Sources(Library).SelectMany(file => SourceReferences.Faults(FolderOf(file), Repository.Read(file)).Select(fault => $"{file}: {fault}")),
        ];
        Assert.True(faults.Length == 0, string.Join("\n", faults));
    }

    [Fact]
    public void Namespaces_are_folder_paths()
    {
        string[] faults =
        [
            .. from file in Repository.Sources(Library)
               let expected = "namespace TensorCompress." + FolderOf(file).Replace('/', '.') + ";"
               where !Repository.Read(file).Split('\n').Any(line => line.TrimEnd('\r') == expected)
               select $"{file} lacks \"{expected}\"",
        ];
        Assert.True(faults.Length == 0, string.Join("\n", faults));
    }

    [Theory]
    [InlineData("Kernels", "using TensorCompress.Layers;")]
    [InlineData("Kernels/Simd", "var x = TensorCompress.Layers.Attention.Y;")]
    [InlineData("Layers", "private readonly Models.ModelDefinition _definition;")]
    [InlineData("Storage", "using Alias = TensorCompress.Compression.CompressionManifest;")]
    [InlineData("Compression/Scalar", "using TensorCompress.Compression.Dense;")]
    [InlineData("Elsewhere", "")]
    public void An_upward_reference_is_found(string folder, string text) => Assert.NotEmpty(SourceReferences.Faults(folder, text));

    [Theory]
    [InlineData("Layers", "using TensorCompress.Kernels; // and TensorCompress.Models is above\nvar x = \"TensorCompress.Models.Y\";")]
    [InlineData("Compression", "using TensorCompress.Compression.Dense;")]
    [InlineData("Storage", "public int Layers { get; }\nint y = Layers.CompareTo(3);")]
    [InlineData("Models", "namespace TensorCompress.Models;\nusing TensorCompress.Models.Inner;")]
    public void A_downward_reference_is_allowed(string folder, string text) => Assert.Empty(SourceReferences.Faults(folder, text));

    private static string FolderOf(string file) => Path.GetDirectoryName(Path.GetRelativePath(Library, file))!.Replace('\\', '/');
}
