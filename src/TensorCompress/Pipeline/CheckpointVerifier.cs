using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Pipeline;

/// <summary>One thing that was checked.</summary>
/// <param name="Name">What.</param>
/// <param name="Passed">Whether it is as it should be.</param>
/// <param name="Detail">What was found.</param>
public sealed record VerificationCheck(string Name, bool Passed, string Detail);

/// <summary>The checks of a checkpoint.</summary>
/// <param name="Checks">In the order in which they were made.</param>
public sealed record VerificationReport(IReadOnlyList<VerificationCheck> Checks)
{
    /// <summary>Whether all checks passed.</summary>
    public bool Passed => Checks.All(check => check.Passed);
}

/// <summary>Checks a checkpoint: hashes of all tensors, finite values, shapes, and the logits recorded when it was compressed.</summary>
public static class CheckpointVerifier
{
    /// <summary>Logits may differ by this share of their size between instruction sets; on the same one they are the same bits.</summary>
    private const double LogitTolerance = 1e-3;

    /// <summary>Verifies a checkpoint.</summary>
    /// <param name="model">Folder or file.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="progress">Told the tensor at work; may be null.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <exception cref="TensorFormatException">The files cannot be read at all.</exception>
    public static VerificationReport Verify(string model, ComputePool? pool = null, IProgress<JobProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        pool ??= ComputePool.Shared;
        var clock = System.Diagnostics.Stopwatch.StartNew();
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(model);
        var checks = new List<VerificationCheck>();
        if (checkpoint.Manifest is { } manifest) checks.Add(CheckHashes(checkpoint, manifest, progress, clock, cancellationToken));
        checks.Add(CheckFinite(checkpoint, cancellationToken));
        if (checks.All(check => check.Passed)) checks.Add(CheckRun(checkpoint, pool, cancellationToken));
        return new VerificationReport(checks);
    }

    private static VerificationCheck CheckHashes(
        ModelCheckpoint checkpoint, CompressionManifest manifest, IProgress<JobProgress>? progress, System.Diagnostics.Stopwatch clock, CancellationToken cancellationToken)
    {
        string[] missing = [.. manifest.Hashes.Keys.Where(name => !checkpoint.Tensors.Tensors.ContainsKey(name))];
        if (missing.Length > 0) return new("hashes", false, $"{missing.Length} tensors of the manifest are not in the file, first {missing[0]}");
        int done = 0;
        foreach (string name in checkpoint.Tensors.Tensors.Keys)
        {
            if (!manifest.Hashes.TryGetValue(name, out string? expected)) return new("hashes", false, $"{name} has no recorded hash");
            if (TensorHash.Compute(checkpoint.Tensors, name, cancellationToken) != expected) return new("hashes", false, $"{name} is not what was written");
            done++;
            progress?.Report(new JobProgress(done, manifest.Hashes.Count, name, (double)done / manifest.Hashes.Count, clock.Elapsed));
        }

        // Hashes cover names, types, shapes and bytes; all else in a header is what the format says.
        if (checkpoint.Tensors is SafetensorsFile file && !(file.Metadata.Count == 1 && file.Metadata.GetValueOrDefault("format") == CheckpointWriter.MetadataFormat))
            return new("hashes", false, "the metadata of the weight file's header are not what was written");
        return new("hashes", true, $"{done} tensors");
    }

    private static VerificationCheck CheckFinite(ModelCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        const int blockElements = 1 << 18;
        var block = new float[blockElements];
        long elements = 0;
        foreach (TensorInfo tensor in checkpoint.Tensors.Tensors.Values)
        {
            if (tensor.ElementType is not (ElementType.F32 or ElementType.F16 or ElementType.BF16 or ElementType.F64)) continue;
            for (long start = 0; start < tensor.ElementCount; start += blockElements)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Span<float> values = block.AsSpan(0, (int)Math.Min(blockElements, tensor.ElementCount - start));
                checkpoint.Tensors.ReadSingles(tensor.Name, start, values);
                for (int i = 0; i < values.Length; i++)
                {
                    if (!float.IsFinite(values[i])) return new("finite", false, $"{tensor.Name}: element {start + i} is {values[i]}");
                }
            }

            elements += tensor.ElementCount;
        }

        return new("finite", true, $"{elements} values");
    }

    private static VerificationCheck CheckRun(ModelCheckpoint checkpoint, ComputePool pool, CancellationToken cancellationToken)
    {
        if (checkpoint.Manifest?.Verification is not { } recorded)
        {
            ModelFingerprint.Record(checkpoint.Path, pool, cancellationToken);
            return new("logits", true, "the model runs and its logits are finite; none are recorded to compare with");
        }

        using LanguageModel model = LanguageModel.Load(checkpoint, new LanguageModelOptions { Pool = pool, Runtime = RuntimeOptions.Exact, WithoutTokenizer = true }, cancellationToken);
        if (recorded.Ids.Count == 0 || recorded.Ids.Any(id => (uint)id >= (uint)model.Definition.VocabularySize) || recorded.Ids.Count > model.Definition.ContextLength)
            return new("logits", false, "the recorded test input does not fit the model");
        ManifestVerification now = ModelFingerprint.Run(model, recorded.Ids, cancellationToken);
        double largest = Math.Abs(now.LogSumExp - recorded.LogSumExp);
        for (int i = 0; i < recorded.TopLogits.Count && i < now.TopLogits.Count; i++) largest = Math.Max(largest, Math.Abs(now.TopLogits[i] - recorded.TopLogits[i]));
        double allowed = LogitTolerance * Math.Max(1, Math.Abs(recorded.LogSumExp));
        return new("logits", largest <= allowed, $"largest difference to the recorded logits {largest:g3}, allowed {allowed:g3}");
    }
}
