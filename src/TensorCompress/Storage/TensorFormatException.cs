using System.Globalization;

namespace TensorCompress.Storage;

/// <summary>The ways in which a file can be wrong.</summary>
public enum TensorFormatError
{
    /// <summary>The file ends before what it declares.</summary>
    Truncated,

    /// <summary>A declared size or count is beyond a bound.</summary>
    Limit,

    /// <summary>The file does not begin as its format demands.</summary>
    Magic,

    /// <summary>A version that is not supported.</summary>
    Version,

    /// <summary>Text that is not valid UTF-8 or not valid JSON.</summary>
    Encoding,

    /// <summary>Valid text that does not have the demanded structure.</summary>
    Structure,

    /// <summary>Something stands twice that may stand once.</summary>
    Duplicate,

    /// <summary>A name that is not allowed.</summary>
    Name,

    /// <summary>An unknown or unfitting type.</summary>
    Type,

    /// <summary>A shape that is not possible.</summary>
    Shape,

    /// <summary>A size that does not fit into 64 bits.</summary>
    Overflow,

    /// <summary>Data offsets with holes, overlaps or in the wrong place.</summary>
    Offset,

    /// <summary>A declared size that is not the size of shape and type.</summary>
    Size,

    /// <summary>Bytes after the end.</summary>
    Trailing,

    /// <summary>A value out of its range, or not finite.</summary>
    Value,

    /// <summary>A file or feature of a known kind that is not supported.</summary>
    Unsupported,

    /// <summary>Content that does not have the recorded hash.</summary>
    Hash,

    /// <summary>Two parts that contradict each other.</summary>
    Inconsistent,

    /// <summary>A file name that leaves its folder.</summary>
    UnsafePath,
}

/// <summary>A file is damaged, hostile or of another kind than it says.</summary>
public sealed class TensorFormatException : Exception
{
    private const int MaxMessageLength = 512;
    private const int MaxNameLength = 120;

    /// <summary>Describes the damage.</summary>
    /// <param name="kind">The way in which the file is wrong.</param>
    /// <param name="reason">What was found and what is required; control characters are escaped, long texts cut.</param>
    /// <param name="file">Path of the file, or null for memory and streams.</param>
    /// <param name="tensor">Name of the tensor concerned, or null.</param>
    /// <param name="offset">Byte offset of the fault, or null.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public TensorFormatException(TensorFormatError kind, string reason, string? file = null, string? tensor = null, long? offset = null, Exception? innerException = null)
        : base(Describe(kind, reason, file, tensor, offset), innerException)
    {
        Kind = kind;
        Reason = PrintableText.Of(reason, MaxMessageLength);
        File = file;
        Tensor = tensor;
        Offset = offset;
    }

    /// <summary>The way in which the file is wrong.</summary>
    public TensorFormatError Kind { get; }

    /// <summary>What was found and what is required, printable and at most 512 characters.</summary>
    public string Reason { get; }

    /// <summary>Path of the file, or null.</summary>
    public string? File { get; }

    /// <summary>Name of the tensor concerned, or null.</summary>
    public string? Tensor { get; }

    /// <summary>Byte offset of the fault, or null.</summary>
    public long? Offset { get; }

    // Only the parts that come from a file are cut: the kind always stands at the end.
    private static string Describe(TensorFormatError kind, string reason, string? file, string? tensor, long? offset)
    {
        string place = (file is null ? "" : PrintableText.Of(System.IO.Path.GetFileName(file), MaxNameLength) + ": ") + (tensor is null ? "" : $"tensor {PrintableText.Of(tensor, MaxNameLength)}: ");
        string end = (offset is null ? "" : string.Create(CultureInfo.InvariantCulture, $" (byte {offset})")) + $" [{kind}]";
        return place + PrintableText.Of(reason, MaxMessageLength - place.Length - end.Length) + end;
    }
}
