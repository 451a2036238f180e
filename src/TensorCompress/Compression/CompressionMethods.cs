using TensorCompress.Compression.BlockTensorTrain;
using TensorCompress.Compression.Dbf;
using TensorCompress.Compression.Dense;
using TensorCompress.Compression.LowRank;
using TensorCompress.Compression.Mpo;
using TensorCompress.Compression.Qet;
using TensorCompress.Compression.Scalar;
using TensorCompress.Compression.Sum;
using TensorCompress.Compression.Tucker;
using TensorCompress.Storage;

namespace TensorCompress.Compression;

/// <summary>The one list of compression methods. Tool, files, recipes, tables and conformance tests iterate it.</summary>
public static class CompressionMethods
{
    /// <summary>All methods.</summary>
    public static IReadOnlyList<ICompressionMethod> All { get; } =
    [
        DenseMethod.Instance,
        ScalarMethod.Instance,
        LowRankMethod.Instance,
        BlockTensorTrainMethod.Instance,
        TuckerMethod.Instance,
        MpoMethod.Instance,
        DbfMethod.Instance,
        QetMethod.Instance,
        SumMethod.Instance,
    ];

    /// <summary>Finds a method by its name.</summary>
    /// <exception cref="NotSupportedException">There is none of that name; the message lists what there is.</exception>
    public static ICompressionMethod Get(string name) => All.FirstOrDefault(method => method.Name == name)
        ?? throw new NotSupportedException($"There is no method \"{name}\"; there are {string.Join(", ", All.Select(method => method.Name))}.");

    /// <summary>Reads method and options from one word: <c>scalar:bits=3:group=64</c>, a switch by its name alone.</summary>
    /// <exception cref="NotSupportedException">There is no method of that name.</exception>
    /// <exception cref="ArgumentException">An option stands there twice, is unknown, or its value is out of range.</exception>
    public static MethodOptions ParseOptions(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split(':', StringSplitOptions.TrimEntries);
        var values = new Dictionary<string, string>();
        foreach (string part in parts.Skip(1))
        {
            int end = part.IndexOf('=', StringComparison.Ordinal);
            (string name, string value) = end < 0 ? (part, "true") : (part[..end], part[(end + 1)..]);
            if (!values.TryAdd(name, value)) throw new ArgumentException($"\"{text}\" sets \"{name}\" twice.", nameof(text));
        }

        return Get(parts[0]).ParseOptions(values);
    }

    /// <summary>Reads a stored weight by the method that wrote it.</summary>
    /// <param name="method">The method's name.</param>
    /// <param name="version">Version of its stored form.</param>
    /// <param name="stored">Where the weight lies.</param>
    /// <exception cref="TensorFormatException">The method is not known, the version too high, or the weight damaged.</exception>
    internal static CompressedWeight Read(string method, int version, StoredWeight stored)
    {
        ICompressionMethod known = All.FirstOrDefault(candidate => candidate.Name == method)
            ?? throw stored.Fault(TensorFormatError.Unsupported, $"method \"{method}\"; supported: {string.Join(", ", All.Select(candidate => candidate.Name))}");
        return version >= 1 && version <= known.FormatVersion
            ? known.Read(stored)
            : throw stored.Fault(TensorFormatError.Version, $"version {version} of method {known.Name}; this library reads 1 to {known.FormatVersion}");
    }
}
