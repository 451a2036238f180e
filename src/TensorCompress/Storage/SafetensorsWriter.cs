using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using TensorCompress.Tensors;

namespace TensorCompress.Storage;

/// <summary>
/// Writes a safetensors file. Data are spooled to a temporary file beside it as they come (their sizes need not be known before); <see cref="Complete"/> writes header and
/// data durably under the final name. Same tensors in the same order give the same bytes.
/// </summary>
public sealed class SafetensorsWriter : ITensorSink, IDisposable
{
    private const int Alignment = 8;

    private readonly string _path;
    private readonly string _spoolPath;
    private readonly FileStream _spool;
    private readonly IReadOnlyDictionary<string, string> _metadata;
    private readonly List<(TensorInfo Tensor, long Begin)> _tensors = [];
    private readonly HashSet<string> _names = [];
    private bool _isClosed;

    private SafetensorsWriter(string path, IReadOnlyDictionary<string, string> metadata)
    {
        _path = Path.GetFullPath(path);
        _metadata = metadata;
        _spoolPath = DurableFile.TemporaryName(_path);
        _spool = new FileStream(_spoolPath, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 20);
    }

    /// <summary>Begins a file.</summary>
    /// <param name="path">Final name; an existing file is replaced by <see cref="Complete"/>.</param>
    /// <param name="metadata">Texts of <c>__metadata__</c>; null for none.</param>
    public static SafetensorsWriter Create(string path, IReadOnlyDictionary<string, string>? metadata = null) => new(path, metadata ?? new Dictionary<string, string>());

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The name stands already, is too long or has control characters, or the shape has a negative dimension.</exception>
    /// <exception cref="InvalidOperationException">The callback wrote another number of bytes.</exception>
    public void Add(TensorInfo tensor, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        Register(tensor);
        long begin = _spool.Position;
        write(_spool);
        if (_spool.Position - begin != tensor.ByteLength)
            throw new InvalidOperationException($"{_spool.Position - begin} bytes were written for {tensor.Name}, which takes {tensor.ByteLength}.");
        _tensors.Add((tensor, begin));
    }

    /// <inheritdoc/>
    public void Add(TensorInfo tensor, ReadOnlySpan<byte> bytes)
    {
        Register(tensor);
        if (bytes.Length != tensor.ByteLength) throw new ArgumentException($"{tensor.Name} takes {tensor.ByteLength} bytes, not {bytes.Length}.", nameof(bytes));
        long begin = _spool.Position;
        _spool.Write(bytes);
        _tensors.Add((tensor, begin));
    }

    /// <summary>Writes the file under its final name, durably.</summary>
    /// <exception cref="ArgumentException">The header is larger than readers accept.</exception>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        byte[] header = CreateHeader();
        if (header.Length > SafetensorsHeader.MaxHeaderBytes) throw new ArgumentException($"A header of {header.Length} bytes; at most {SafetensorsHeader.MaxHeaderBytes} are allowed.");
        _spool.Position = 0;
        DurableFile.Write(_path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            stream.Write(length);
            stream.Write(header);
            _spool.CopyTo(stream);
        });
        Dispose();
    }

    /// <summary>Removes what was spooled; without <see cref="Complete"/> nothing is left.</summary>
    public void Dispose()
    {
        if (_isClosed) return;
        _isClosed = true;
        _spool.Dispose();
        DurableFile.DeleteIfThere(_spoolPath);
    }

    private void Register(TensorInfo tensor)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Name == "__metadata__" || tensor.Name.Any(char.IsControl) || Encoding.UTF8.GetByteCount(tensor.Name) > SafetensorsHeader.MaxNameBytes)
            throw new ArgumentException("A tensor's name has no control characters and at most 65535 bytes, and is not __metadata__.", nameof(tensor));
        if (tensor.Shape.Count > SafetensorsHeader.MaxRank || tensor.Shape.Any(dimension => dimension < 0))
            throw new ArgumentException($"{tensor.Name}: shape [{string.Join(", ", tensor.Shape)}] is not possible.", nameof(tensor));
        if (tensor.ElementCount * tensor.ElementType.BitWidth() % 8 != 0)
            throw new ArgumentException($"{tensor.Name}: {tensor.ElementCount} elements of {tensor.ElementType.Name()} are no whole number of bytes.", nameof(tensor));
        if (!_names.Add(tensor.Name)) throw new ArgumentException($"There is a tensor {tensor.Name} already.", nameof(tensor));
    }

    // Padded with blanks so that the data begin at a multiple of eight bytes.
    private byte[] CreateHeader()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (_metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in _metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal)) json.WriteString(key, value);
                json.WriteEndObject();
            }

            foreach ((TensorInfo tensor, long begin) in _tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.ElementType.Name());
                json.WriteStartArray("shape");
                foreach (long dimension in tensor.Shape) json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(begin);
                json.WriteNumberValue(begin + tensor.ByteLength);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while ((8 + buffer.Length) % Alignment != 0) buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }
}
