using System.Diagnostics;
using System.Reflection;
using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tensors;
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
}

/// <summary>Compresses a checkpoint into a checkpoint folder, tensor by tensor: one dense matrix is in memory at a time.</summary>
public static class ModelCompressor
{
    /// <inheritdoc cref="Compress"/>
    public static Task<CompressionReport> CompressAsync(
        string model, string output, CompressionJobOptions options, IProgress<JobProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Task.Run(() => Compress(model, output, options, progress, cancellationToken), cancellationToken);

    /// <summary>Compresses; the output appears whole, after the result was loaded and run once, or not at all.</summary>
    /// <param name="model">Checkpoint folder, GGUF or llama2.c file with dense weights.</param>
    /// <param name="output">Folder to make; must not exist or be empty.</param>
    /// <param name="options">Recipe, seed, threads.</param>
    /// <param name="progress">Told after each layer; may be null.</param>
    /// <param name="cancellationToken">Looked at often; nothing is left behind.</param>
    /// <exception cref="TensorFormatException">The source is damaged, not supported, or compressed already.</exception>
    /// <exception cref="ArgumentException">A rule matches no layer, or options do not fit a matrix (the message names it).</exception>
    /// <exception cref="OutputExistsException">The output exists.</exception>
    public static CompressionReport Compress(
        string model, string output, CompressionJobOptions options, IProgress<JobProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var clock = Stopwatch.StartNew();
        using ModelCheckpoint source = ModelCheckpoint.Open(model);
        if (source.Manifest is not null)
            throw new TensorFormatException(TensorFormatError.Unsupported, "the checkpoint is compressed already; compress its dense source, or convert it to dense first", model);
        IReadOnlyDictionary<string, MethodOptions> recipe = options.Recipe.Resolve(source.Definition.Linears.Select(linear => linear.Name));
        using CheckpointWriter writer = CheckpointWriter.Create(output);
        var job = new Job(source, recipe, options, writer, clock, progress, cancellationToken);
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
        return new CompressionReport
        {
            Layers = job.Reports,
            Size = size,
            Elapsed = clock.Elapsed,
            PeakBytes = Process.GetCurrentProcess().PeakWorkingSet64,
            Warnings = source.Warnings,
        };
    }

    private sealed class Job(
        ModelCheckpoint source, IReadOnlyDictionary<string, MethodOptions> recipe, CompressionJobOptions options, CheckpointWriter writer,
        Stopwatch clock, IProgress<JobProgress>? progress, CancellationToken cancellationToken)
    {
        private readonly Dictionary<string, ManifestLayer> _layers = [];
        private readonly List<LayerReport> _reports = [];

        public IReadOnlyList<LayerReport> Reports => _reports;

        public void WriteTensors()
        {
            // Compressed layers are looked up by the name of their dense tensor; everything else is copied bit for bit.
            Dictionary<string, LinearDefinition> byTensor = source.Definition.Linears
                .Where(linear => recipe.TryGetValue(linear.Name, out MethodOptions? chosen) && !chosen.KeepsSource)
                .ToDictionary(linear => linear.WeightName);
            long total = byTensor.Values.Sum(linear => (long)linear.OutputDimension * linear.InputDimension);
            long done = 0;
            foreach (TensorInfo tensor in source.Tensors.Tensors.Values.Where(tensor => !source.IsRedundant(tensor.Name)))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!byTensor.TryGetValue(tensor.Name, out LinearDefinition? linear))
                {
                    writer.Tensors.Add(tensor, stream => source.Tensors.CopyTo(tensor, stream, cancellationToken));
                    continue;
                }

                CompressLayer(linear, recipe[linear.Name], done, total);
                done += (long)linear.OutputDimension * linear.InputDimension;
                progress?.Report(new JobProgress(_reports.Count, byTensor.Count, linear.Name, (double)done / total, clock.Elapsed));
            }
        }

        public CompressionManifest CreateManifest()
        {
            using SafetensorsFile written = SafetensorsFile.Open(Path.Combine(writer.Staging, CheckpointWriter.WeightsFile));
            return new CompressionManifest
            {
                Layers = _layers,
                Hashes = written.Tensors.Keys.ToDictionary(name => name, name => TensorHash.Compute(written, name, cancellationToken)),
                Provenance = new JsonObject
                {
                    ["tool"] = "TensorCompress " + typeof(ModelCompressor).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0],
                    ["source_format"] = source.Format,
                    ["source_sha256"] = source.ComputeHash(cancellationToken),
                    ["seed"] = options.Seed,
                },
            };
        }

        private void CompressLayer(LinearDefinition linear, MethodOptions method, long done, long total)
        {
            var layerClock = Stopwatch.StartNew();
            long weights = (long)linear.OutputDimension * linear.InputDimension;
            using Matrix<float> dense = WeightLoader.ReadFinite(source, linear);
            IProgress<double>? within = progress is null ? null : new RelayedProgress(share =>
                progress.Report(new JobProgress(_reports.Count, 0, linear.Name, (done + share * weights) / total, clock.Elapsed)));
            CompressedWeight compressed;
            try
            {
                compressed = method.Method.Compress(dense.View, method, new CompressionContext { Pool = options.Pool, Seed = options.Seed }, within, cancellationToken);
            }
            catch (ArgumentException fault)
            {
                throw new ArgumentException($"{linear.Name} ({linear.OutputDimension} x {linear.InputDimension}): {fault.Message}", fault);
            }

            using (compressed)
            {
                foreach (WeightPart part in compressed.Parts)
                    writer.Tensors.Add(new TensorInfo($"{linear.Name}.{compressed.Method.Name}.{part.Name}", part.ElementType, part.Shape), part.Write);
                var recorded = new JsonObject();
                foreach ((string name, string value) in method.ToValues()) recorded.Add(name, value);
                _layers.Add(linear.Name, new ManifestLayer(
                    compressed.Method.Name, compressed.Method.FormatVersion, linear.OutputDimension, linear.InputDimension, recorded, compressed.Parameters));
                _reports.Add(new LayerReport(
                    linear.Name, compressed.Method.Name, linear.OutputDimension, linear.InputDimension, compressed.StoredBytes, compressed.BitsPerWeight,
                    RelativeError(dense, compressed), layerClock.Elapsed));
            }
        }

        private static double RelativeError(Matrix<float> dense, CompressedWeight compressed)
        {
            using Matrix<float> decoded = compressed.ToDense();
            double error = 0, norm = 0;
            for (nint row = 0; row < dense.Rows; row++)
            {
                Span<float> expected = dense.Row(row), actual = decoded.Row(row);
                for (int i = 0; i < expected.Length; i++)
                {
                    double difference = (double)expected[i] - actual[i];
                    error += difference * difference;
                    norm += (double)expected[i] * expected[i];
                }
            }

            return norm == 0 ? (error == 0 ? 0 : double.PositiveInfinity) : Math.Sqrt(error / norm);
        }
    }

    // Progress<T> would post to another thread; jobs report in order on their own.
    private sealed class RelayedProgress(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
