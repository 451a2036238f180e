using System.Diagnostics;
using TensorCompress.Compression;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Threading;

namespace TensorCompress.Pipeline;

/// <summary>What a compression job does.</summary>
public sealed record CompressionJobOptions
{
    /// <summary>Which method each layer gets.</summary>
    public required CompressionRecipe Recipe { get; init; }

    /// <summary>Seed of whatever is random.</summary>
    public ulong Seed { get; init; }

    /// <summary>Threads; the result does not depend on their number.</summary>
    public ComputePool Pool { get; init; } = ComputePool.Shared;

    /// <summary>Whether layers that an interrupted job with the same output left are forgotten.</summary>
    public bool Restart { get; init; }

    /// <summary>A layer that took less is not kept for a job that goes on: it is made again.</summary>
    internal TimeSpan LeastTimeToKeep { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Statistics of the layers' inputs for the methods that use them; null for none.</summary>
    public CalibrationOptions? Calibration { get; init; }
}

/// <summary>
/// Compresses a checkpoint into a checkpoint folder, tensor by tensor: one dense matrix is in memory at a time. With calibration texts the dense model is in memory, and the
/// compressed layers until they are written.
/// </summary>
public static class ModelCompressor
{
    private const string NothingToJoin = "nothing was joined: of the layers with the same input, no two neighbours have the same rule, or the checkpoint has one matrix for them anyway";

    /// <inheritdoc cref="Compress"/>
    public static Task<CompressionReport> CompressAsync(
        string model, string output, CompressionJobOptions options, IProgress<JobProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Compress(model, output, options, progress, cancellationToken), cancellationToken);

    /// <summary>
    /// Compresses; the output appears whole, after the result was loaded and run once, or not at all. Layers that took more than a second are kept in a hidden folder beside it until it is whole: a job
    /// that was killed or cancelled, begun again, goes on from them and ends with the same bytes.
    /// </summary>
    /// <param name="model">Checkpoint folder, GGUF or llama2.c file with dense weights.</param>
    /// <param name="output">Folder to make; must not exist or be empty.</param>
    /// <param name="options">Recipe, seed, threads.</param>
    /// <param name="progress">Told after each layer; may be null.</param>
    /// <param name="cancellationToken">Looked at often; nothing but the layers that are done is left behind.</param>
    /// <exception cref="TensorFormatException">The source is damaged, not supported, or compressed already.</exception>
    /// <exception cref="ArgumentException">A rule matches no layer, or options do not fit a matrix (the message names it).</exception>
    /// <exception cref="OutputExistsException">The output exists.</exception>
    /// <exception cref="InsufficientMemoryException">There is no memory for so many tokens of calibration texts; the message says for how many.</exception>
    public static CompressionReport Compress(
        string model, string output, CompressionJobOptions options, IProgress<JobProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Calibration?.ThrowIfUnfit();
        var clock = Stopwatch.StartNew();
        using ModelCheckpoint source = ModelCheckpoint.Open(model);
        if (source.Manifest is not null)
            throw new TensorFormatException(TensorFormatError.Unsupported, "the checkpoint is compressed already; compress its dense source, or convert it to dense first", model);
        IReadOnlyDictionary<string, MethodOptions> resolved = options.Recipe.Resolve(source.Definition.Linears.Select(linear => linear.Name));
        ModelDefinition joined = JointLayers.Join(source.Definition, (one, next) => options.Recipe.FindRule(one.Name) is { IsJoint: true, Options.KeepsSource: false } rule && rule == options.Recipe.FindRule(next.Name));
        var recipe = joined.Linears.Where(linear => resolved.ContainsKey(linear.Parts[0].Name)).ToDictionary(linear => linear.Name, linear => resolved[linear.Parts[0].Name]);
        LayerCompression.ThrowIfUnfit(joined, recipe);
        NeuronOrders orders = NeuronOrders.Find(source, resolved, options.Pool, cancellationToken);
        using ModelCheckpoint ordered = orders.Apply(source, joined);
        using CheckpointWriter writer = CheckpointWriter.Create(output);
        var finished = FinishedLayers.Of(output, options);
        using var job = new LayerCompression(ordered, recipe, options, orders, writer, finished, clock, progress, cancellationToken);
        job.WriteTensors();
        writer.CompleteTensors();
        writer.WriteCompanionFiles(source);

        CompressionManifest manifest = job.CreateManifest();
        writer.WriteConfiguration(source, manifest);
        writer.WriteConfiguration(source, manifest with { Verification = ModelFingerprint.Record(writer.Staging, options.Pool, cancellationToken) });
        ModelSize size;
        using (ModelCheckpoint result = ModelCheckpoint.Open(writer.Staging)) size = ModelSize.Of(result);
        cancellationToken.ThrowIfCancellationRequested();
        writer.Publish();
        finished.Remove();
        return new CompressionReport
        {
            Layers = job.Reports,
            Size = size,
            Elapsed = clock.Elapsed,
            PeakBytes = Process.GetCurrentProcess().PeakWorkingSet64,
            Warnings = options.Recipe.Rules.Any(rule => rule.IsJoint) && joined.Linears.All(linear => linear.Members.Count == 0) ? [.. source.Warnings, NothingToJoin] : source.Warnings,
        };
    }
}
