using System.Text.Json.Nodes;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression;

/// <summary>A compression method: makes compressed weights and reads them back. <see cref="CompressionMethods"/> is the one list of them.</summary>
public interface ICompressionMethod
{
    /// <summary>The name in recipes, files and on the command line, for instance <c>mpo</c>.</summary>
    string Name { get; }

    /// <summary>One line for people.</summary>
    string Description { get; }

    /// <summary>Version of the stored form; higher versions are refused by <see cref="Read"/>.</summary>
    int FormatVersion { get; }

    /// <summary>The options that recipes and the command line may set.</summary>
    IReadOnlyList<MethodOption> Options { get; }

    /// <summary>A few settings from mild to strong, for tables that show every method.</summary>
    IReadOnlyList<MethodOptions> ShowcaseOptions { get; }

    /// <summary>Makes options of named values.</summary>
    /// <param name="values">Option names with values as text; names not given keep their defaults.</param>
    /// <exception cref="ArgumentException">A name is unknown or a value is out of its range; the message names both and what is allowed.</exception>
    MethodOptions ParseOptions(IReadOnlyDictionary<string, string> values);

    /// <summary>Compresses a matrix.</summary>
    /// <param name="weights">W, [output, input]; only read.</param>
    /// <param name="options">Options of this method.</param>
    /// <param name="context">Threads, seed, statistics and heads. The result does not depend on the number of threads.</param>
    /// <param name="progress">Told the share done, 0 to 1; may be null.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <exception cref="ArgumentException">The options do not fit the shape, or a weight is NaN or infinite (the message names count and first place).</exception>
    CompressedWeight Compress(MatrixView<float> weights, MethodOptions options, CompressionContext context, IProgress<double>? progress = null, CancellationToken cancellationToken = default);

    /// <summary>Reads a compressed weight.</summary>
    /// <param name="stored">Where it lies.</param>
    /// <exception cref="TensorFormatException">Parts are missing, of other shapes or types than the parameters say, or hold impossible values.</exception>
    CompressedWeight Read(StoredWeight stored);
}

/// <summary>Options of a method. Each method has one immutable record derived from this, valid when made.</summary>
public abstract record MethodOptions
{
    /// <summary>The method that they belong to.</summary>
    public abstract ICompressionMethod Method { get; }

    /// <summary>Whether the layer is left as the source has it, bit for bit.</summary>
    public virtual bool KeepsSource => false;

    /// <summary>The bond dimension at which an order of the neurons of a feed-forward layer is judged before its matrices are compressed; null where the neurons stay as they are.</summary>
    /// <param name="rows">Rows of the matrix.</param>
    /// <param name="columns">Its columns.</param>
    internal virtual int? NeuronOrderBond(int rows, int columns) => null;

    /// <summary>Refuses a matrix that the options cannot be met for, as far as its shape tells.</summary>
    /// <param name="rows">Rows of the matrix.</param>
    /// <param name="columns">Its columns.</param>
    /// <param name="heads">The attention heads that it is made of; null for none.</param>
    /// <exception cref="ArgumentException">They cannot; the message says what would.</exception>
    /// <exception cref="NotSupportedException">The method does not support such a matrix.</exception>
    internal virtual void ThrowIfUnfit(int rows, int columns, AttentionHeads? heads)
    {
    }

    /// <summary>Whether they say something that only a matrix made of attention heads can use.</summary>
    internal virtual bool NeedsHeads => false;

    /// <summary>The named values that <see cref="ICompressionMethod.ParseOptions"/> makes equal options of, in a fixed order.</summary>
    public abstract IReadOnlyList<KeyValuePair<string, string>> ToValues();

    /// <summary>Method and options in one word, <c>scalar:bits=3:group=64</c>, of which <see cref="CompressionMethods.ParseOptions"/> makes equal options.</summary>
    public string ToText() => string.Concat([Method.Name, .. ToValues().Select(value => $":{value.Key}={value.Value}")]);
}

/// <summary>An option as recipes and the command line know it.</summary>
/// <param name="Name">Lower case, as after <c>--</c> and in recipes.</param>
/// <param name="ValueName">What stands for the value in help texts, for instance <c>N</c>; null for a switch.</param>
/// <param name="Description">One line for people: meaning, range, default.</param>
public sealed record MethodOption(string Name, string? ValueName, string Description);

/// <summary>What a compression needs besides weights and options.</summary>
public sealed record CompressionContext
{
    /// <summary>Threads.</summary>
    public ComputePool Pool { get; init; } = ComputePool.Shared;

    /// <summary>Seed of whatever is random; the same seed gives the same bytes.</summary>
    public ulong Seed { get; init; }

    /// <summary>What calibration knows of the layer's inputs; null where there was none. Methods that cannot use it leave it alone.</summary>
    public LayerStatistics? Statistics { get; init; }

    /// <summary>The attention heads that the matrix is made of; null where it is made of none, or where nobody knows. Methods that cannot use it leave it alone.</summary>
    public AttentionHeads? Heads { get; init; }

    /// <summary>Told in words for people what a method is at, for instance round and error; null for nobody.</summary>
    public IProgress<string>? Status { get; init; }
}

/// <summary>A compressed weight in a file, not yet read.</summary>
/// <param name="Layer">The layer's name; its parts are <c>&lt;Layer&gt;.&lt;method&gt;.&lt;part&gt;</c>.</param>
/// <param name="OutputDimension">Rows of W.</param>
/// <param name="InputDimension">Columns of W.</param>
/// <param name="Parameters">What <see cref="CompressedWeight.Parameters"/> gave.</param>
/// <param name="Tensors">The file's tensors.</param>
public sealed record StoredWeight(string Layer, int OutputDimension, int InputDimension, JsonObject Parameters, ITensorSource Tensors);
