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

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

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
        CheckMetadata(metadata);
        _spoolPath = DurableFile.TemporaryName(_path);
        _spool = new FileStream(_spoolPath, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 20);
    }

    /// <summary>Begins a file.</summary>
    /// <param name="path">Final name; an existing file is replaced by <see cref="Complete"/>.</param>
    /// <param name="metadata">Texts of <c>__metadata__</c>; null for none.</param>
    /// <exception cref="ArgumentException">The metadata are larger than readers accept, or no valid Unicode.</exception>
    public static SafetensorsWriter Create(string path, IReadOnlyDictionary<string, string>? metadata = null) => new(path, metadata ?? new Dictionary<string, string>());

    /// <inheritdoc/>
    /// <remarks>Where the callback fails, the file is as before the call, and the tensor may be added again.</remarks>
    /// <exception cref="ArgumentException">The name stands already, is too long, has control characters or lone surrogates, or the shape is not possible.</exception>
    /// <exception cref="InvalidOperationException">The callback wrote another number of bytes.</exception>
    public void Add(TensorInfo tensor, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        Register(tensor);
        long begin = _spool.Position;
        try
        {
            write(_spool);
            if (_spool.Position - begin != tensor.ByteLength)
                throw new InvalidOperationException($"{_spool.Position - begin} bytes were written for {tensor.Name}, which takes {tensor.ByteLength}.");
        }
        catch
        {
            // A part of a tensor would be a hole before the next one.
            if (_spool.CanSeek)
            {
                _spool.SetLength(begin);
                _spool.Position = begin;
            }

            _names.Remove(tensor.Name);
            throw;
        }

        _tensors.Add((tensor, begin));
    }

    /// <inheritdoc/>
    public void Add(TensorInfo tensor, ReadOnlySpan<byte> bytes)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        CheckShape(tensor);
        if (bytes.Length != tensor.ByteLength) throw new ArgumentException($"{tensor.Name} takes {tensor.ByteLength} bytes, not {bytes.Length}.", nameof(bytes));
        Register(tensor);
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
        CheckShape(tensor);
        if (tensor.Name == "__metadata__" || tensor.Name.Any(char.IsControl) || Utf8Length(tensor.Name) is not (>= 0 and <= SafetensorsHeader.MaxNameBytes))
            throw new ArgumentException("A tensor's name is valid Unicode without control characters, has at most 65535 bytes, and is not __metadata__.", nameof(tensor));
        if (!_names.Add(tensor.Name)) throw new ArgumentException($"There is a tensor {tensor.Name} already.", nameof(tensor));
    }

    private static void CheckShape(TensorInfo tensor)
    {
        bool isPossible = tensor.Shape.Count <= SafetensorsHeader.MaxRank && tensor.Shape.All(dimension => dimension >= 0);
        long? elements = isPossible ? CheckedSizes.ElementCount([.. tensor.Shape.Select(dimension => (ulong)dimension)]) : null;
        long? bits = elements is null ? null : CheckedSizes.BitCount(elements.Value, tensor.ElementType);
        if (bits is null) throw new ArgumentException($"{tensor.Name}: shape [{string.Join(", ", tensor.Shape)}] is not possible.", nameof(tensor));
        if (bits % 8 != 0) throw new ArgumentException($"{tensor.Name}: {elements} elements of {tensor.ElementType.Name()} are no whole number of bytes.", nameof(tensor));
    }

    private static void CheckMetadata(IReadOnlyDictionary<string, string> metadata)
    {
        long length = 0;
        foreach ((string key, string value) in metadata)
        {
            int keyLength = Utf8Length(key), valueLength = Utf8Length(value);
            if (keyLength < 0 || valueLength < 0) throw new ArgumentException("The metadata hold text that is not valid Unicode.", nameof(metadata));
            length += keyLength + valueLength;
        }

        if (length > SafetensorsHeader.MaxHeaderBytes) throw new ArgumentException($"Metadata of {length} bytes; a header has at most {SafetensorsHeader.MaxHeaderBytes}.", nameof(metadata));
    }

    // Negative for lone surrogates, which the JSON writer would silently turn into other characters.
    private static int Utf8Length(string text)
    {
        try
        {
            return StrictUtf8.GetByteCount(text);
        }
        catch (EncoderFallbackException)
        {
            return -1;
        }
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
