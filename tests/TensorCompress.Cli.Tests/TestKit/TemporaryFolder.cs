namespace TensorCompress.Cli.Tests.TestKit;

/// <summary>A folder that is gone when the test ends.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tensorcompress-cli-tests-");

    public string Path => _folder.FullName;

    /// <summary>A path inside; nothing is made there.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Names of everything inside, hidden things too.</summary>
    public string[] Names() => [.. _folder.EnumerateFileSystemInfos().Select(entry => entry.Name).Order(StringComparer.Ordinal)];

    public void Dispose() => _folder.Delete(recursive: true);
}
