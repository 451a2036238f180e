namespace TensorCompress.Cli.Tests.TestKit;

/// <summary>A test that sends signals, which Windows does not have.</summary>
internal sealed class UnixFactAttribute : FactAttribute
{
    public UnixFactAttribute()
    {
        if (OperatingSystem.IsWindows()) Skip = "signals between processes need Unix";
    }
}
