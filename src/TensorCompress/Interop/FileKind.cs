using System.Runtime.InteropServices;

namespace TensorCompress.Interop;

/// <summary>Tells regular files from pipes, sockets and devices without opening them.</summary>
internal static partial class FileKind
{
    private const int RegularFile = 0x8000;
    private const int KindMask = 0xF000;

    /// <summary>Whether the path (links followed) is a regular file. Where the system cannot be asked, true.</summary>
    public static bool IsRegular(string path)
    {
        if (!OperatingSystem.IsLinux()) return true;
        // struct statx: stx_mode is the 16-bit field at offset 28 on every architecture, unlike that of struct stat.
        Span<byte> buffer = stackalloc byte[256];
        const int currentFolder = -100, basicMask = 0x7FF;
        if (StatX(currentFolder, path, 0, basicMask, buffer) != 0) return true;
        return (BitConverter.ToUInt16(buffer[28..]) & KindMask) == RegularFile;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int folder, string path, int flags, uint mask, Span<byte> buffer);
}
