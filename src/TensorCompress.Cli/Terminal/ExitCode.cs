using TensorCompress.Pipeline;
using TensorCompress.Storage;
using TensorCompress.Templates;

namespace TensorCompress.Cli.Terminal;

/// <summary>The exit codes of the tool, and which failure gets which.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongUsage = 2;
    public const int BadInputFile = 3;
    public const int BoundExceeded = 4;
    public const int Cancelled = 130;

    // What the systems answer when a disk, a quota or a file-size limit is full: ENOSPC, EDQUOT, EFBIG; ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL.
    private static readonly int[] UnixDiskFull = [28, 122, 27];
    private static readonly int[] WindowsDiskFull = [unchecked((int)0x80070027), unchecked((int)0x80070070)];

    public static int Of(Exception failure) => failure switch
    {
        OperationCanceledException => Cancelled,
        UsageException or OutputExistsException => WrongUsage,
        TemplateException { Kind: TemplateErrorKind.Raised } => WrongUsage, // the template refuses the messages
        TensorFormatException or TemplateException or FileNotFoundException or DirectoryNotFoundException => BadInputFile,
        ArithmeticException => BadInputFile, // weights that give logits which are no numbers
        ArgumentException or NotSupportedException => WrongUsage,
        OutOfMemoryException => BoundExceeded,
        IOException disk when (OperatingSystem.IsWindows() ? WindowsDiskFull : UnixDiskFull).Contains(disk.HResult) => BoundExceeded,
        AggregateException { InnerException: { } inner } => Of(inner),
        _ => Failed,
    };
}
