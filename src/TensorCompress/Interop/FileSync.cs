using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace TensorCompress.Interop;

/// <summary>Brings files and folders to the disk. The framework's own flush reports success on Linux when fsync fails, and it cannot flush a folder.</summary>
internal static partial class FileSync
{
    private const int ReadOnlyFolder = 0x10000 | 0x80000; // O_DIRECTORY | O_CLOEXEC on Linux, x64 and most others
    private const int ReadOnlyFolderArm = 0x4000 | 0x80000;

    /// <summary>Flushes a file's content.</summary>
    /// <exception cref="IOException">The system could not; the content must be taken as lost.</exception>
    public static void FlushFile(SafeFileHandle file, string path)
    {
        if (OperatingSystem.IsWindows())
        {
            if (!FlushFileBuffers(file)) throw Failure(path);
            return;
        }

        bool added = false;
        try
        {
            file.DangerousAddRef(ref added);
            if (FSync((int)file.DangerousGetHandle()) != 0) throw Failure(path);
        }
        finally
        {
            if (added) file.DangerousRelease();
        }
    }

    /// <summary>Flushes a folder's entries, so that a rename in it survives a power cut. On Windows renames are journalled and nothing is done.</summary>
    /// <exception cref="IOException">The system could not.</exception>
    public static void FlushFolder(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        int flags = OperatingSystem.IsMacOS() ? 0x100000 | 0x1000000
            : RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? ReadOnlyFolderArm : ReadOnlyFolder;
        int descriptor = Open(path, flags);
        if (descriptor < 0) throw Failure(path);
        try
        {
            if (FSync(descriptor) != 0) throw Failure(path);
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    private static IOException Failure(string path)
    {
        int error = Marshal.GetLastPInvokeError();
        return new IOException($"{path} could not be brought to the disk: {new Win32Exception(error).Message} (error {error}).");
    }

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);

    [LibraryImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool FlushFileBuffers(SafeFileHandle file);
}
