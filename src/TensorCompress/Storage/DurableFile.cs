using System.Text;
using Microsoft.Win32.SafeHandles;
using TensorCompress.Interop;

namespace TensorCompress.Storage;

/// <summary>
/// The one durable writer: content goes to a temporary file in the same folder, is brought to the disk, and appears under its name by a rename, whose folder is brought
/// to the disk too. Whatever happens, the name holds nothing, the old content, or the whole new content.
/// </summary>
public static class DurableFile
{
    /// <summary>Writes a file whose content comes from a callback.</summary>
    /// <param name="path">Final name; an existing file is replaced.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="IOException">It could not be written or brought to the disk; the old content stands. (Only where the folder's flush fails may the new one stand already.)</exception>
    public static void Write(string path, Action<Stream> write) => Write(path, write, FileSync.FlushFile);

    /// <summary>As <see cref="Write(string, Action{Stream})"/> with a flush that may be made to fail.</summary>
    internal static void Write(string path, Action<Stream> write, Action<SafeFileHandle, string> flush)
    {
        ArgumentNullException.ThrowIfNull(write);
        string full = Path.GetFullPath(path);
        string temporary = TemporaryName(full);
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush();
                flush(stream.SafeFileHandle, temporary);
            }

            File.Move(temporary, full, overwrite: true);
        }
        catch
        {
            DeleteIfThere(temporary);
            throw;
        }

        FileSync.FlushFolder(Path.GetDirectoryName(full)!);
    }

    /// <summary>Writes bytes.</summary>
    /// <inheritdoc cref="Write(string, Action{Stream})"/>
    public static void WriteAllBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    /// <summary>Writes text as UTF-8 without a byte-order mark.</summary>
    /// <inheritdoc cref="Write(string, Action{Stream})"/>
    public static void WriteAllText(string path, string text) => WriteAllBytes(path, Encoding.UTF8.GetBytes(text));

    /// <summary>Makes a finished folder visible under its final name, which must not exist.</summary>
    /// <exception cref="IOException">It could not be renamed or brought to the disk.</exception>
    public static void PublishFolder(string staging, string final)
    {
        string full = Path.GetFullPath(final);
        FileSync.FlushFolder(staging);
        Directory.Move(staging, full);
        FileSync.FlushFolder(Path.GetDirectoryName(full)!);
    }

    /// <summary>A name beside the final one that no other writer uses.</summary>
    internal static string TemporaryName(string full) => $"{full}.{Environment.ProcessId:x}-{Guid.NewGuid():n}.tmp";

    internal static void DeleteIfThere(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // The failure that led here is the one to report.
        }
    }
}
