namespace TensorCompress.Tests.TestKit;

/// <summary>A fact about kinds of files that the library tells apart on Linux only; skipped visibly elsewhere.</summary>
internal sealed class LinuxFactAttribute : FactAttribute
{
    public LinuxFactAttribute()
    {
        if (!OperatingSystem.IsLinux()) Skip = "needs pipes, sockets, devices or links in the file system as Linux has them";
    }
}
