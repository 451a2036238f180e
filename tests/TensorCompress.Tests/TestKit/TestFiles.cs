namespace TensorCompress.Tests.TestKit;

/// <summary>Small reference files of the project, and folders for what tests write.</summary>
internal static class TestFiles
{
    /// <summary>Path of a file under Goldens/.</summary>
    public static string Golden(string relative) => Path.Combine(AppContext.BaseDirectory, "Goldens", relative);
}

/// <summary>A folder that is removed with its content.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public TemporaryFolder() => Directory.CreateDirectory(Path);

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "tensorcompress-" + Guid.NewGuid().ToString("n"));

    public string Combine(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
