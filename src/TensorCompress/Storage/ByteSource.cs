using Microsoft.Win32.SafeHandles;

namespace TensorCompress.Storage;

/// <summary>Bytes that can be read at any offset by concurrent readers: a file, a stream or memory.</summary>
internal abstract class ByteSource : IDisposable
{
    /// <summary>Path of the file, or null.</summary>
    public virtual string? Path => null;

    /// <summary>Number of bytes when the source was opened.</summary>
    public abstract long Length { get; }

    /// <summary>Opens a regular file.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="TensorFormatException">It is a folder, pipe, socket or device.</exception>
    public static ByteSource OpenFile(string path)
    {
        if (!File.Exists(path) && !Directory.Exists(path)) throw new FileNotFoundException($"There is no file {path}.", path);
        FileAttributes attributes = File.GetAttributes(path);
        // A pipe or device would block or never end: only regular files are opened.
        if ((attributes & (FileAttributes.Directory | FileAttributes.Device)) != 0 || !Interop.FileKind.IsRegular(path))
            throw new TensorFormatException(TensorFormatError.Unsupported, "not a regular file", path);
        return new FileSource(path);
    }

    public static ByteSource OfMemory(ReadOnlyMemory<byte> memory) => new MemorySource(memory);

    /// <summary>A seekable stream; it is read under a lock and not closed.</summary>
    public static ByteSource OfStream(Stream stream) => new StreamSource(stream);

    /// <summary>Fills the destination from an offset.</summary>
    /// <exception cref="TensorFormatException">The bytes end before (the file was cut after it was opened).</exception>
    public void Read(long offset, Span<byte> destination)
    {
        int done = 0;
        while (done < destination.Length)
        {
            int read = ReadSome(offset + done, destination[done..]);
            if (read <= 0) throw new TensorFormatException(TensorFormatError.Truncated, $"{destination.Length - done} bytes are missing", Path, offset: offset + done);
            done += read;
        }
    }

    public virtual void Dispose()
    {
    }

    protected abstract int ReadSome(long offset, Span<byte> destination);

    private sealed class FileSource : ByteSource
    {
        private readonly SafeFileHandle _handle;

        public FileSource(string path)
        {
            Path = path;
            _handle = File.OpenHandle(path, options: FileOptions.RandomAccess);
            Length = RandomAccess.GetLength(_handle);
        }

        public override string Path { get; }

        public override long Length { get; }

        public override void Dispose()
        {
            _handle.Dispose();
            base.Dispose();
        }

        protected override int ReadSome(long offset, Span<byte> destination) => RandomAccess.Read(_handle, destination, offset);
    }

    private sealed class MemorySource(ReadOnlyMemory<byte> memory) : ByteSource
    {
        public override long Length => memory.Length;

        protected override int ReadSome(long offset, Span<byte> destination)
        {
            if (offset >= memory.Length) return 0;
            int count = (int)Math.Min(destination.Length, memory.Length - offset);
            memory.Span.Slice((int)offset, count).CopyTo(destination);
            return count;
        }
    }

    private sealed class StreamSource(Stream stream) : ByteSource
    {
        public override long Length { get; } = stream.Length;

        protected override int ReadSome(long offset, Span<byte> destination)
        {
            lock (stream)
            {
                stream.Position = offset;
                return stream.Read(destination);
            }
        }
    }
}
