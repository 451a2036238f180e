using System.Diagnostics;
using System.Reflection;
using System.Text.Json.Nodes;
using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Pipeline;

/// <summary>The layers of one compression job: each is compressed by its rule and written in its place among the other tensors, which are copied bit for bit.</summary>
internal sealed class LayerCompression : IDisposable
{
    private readonly ModelCheckpoint _source;
    private readonly IReadOnlyDictionary<string, MethodOptions> _recipe;
    private readonly CompressionJobOptions _options;
    private readonly NeuronOrders _orders;
    private readonly CheckpointWriter _writer;
    private readonly FinishedLayers _finished;
    private readonly Stopwatch _clock;
    private readonly IProgress<JobProgress>? _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly Dictionary<string, LinearDefinition> _byTensor;
    private readonly Dictionary<string, Outcome> _outcomes = [];
    private readonly Dictionary<string, ManifestLayer> _layers = [];
    private readonly List<LayerReport> _reports = [];
    private readonly string _sourceHash;
    private readonly int _layerCount;
    private readonly long _totalWeights;
    private long _weightsDone;
    private string? _status;

    public LayerCompression(
        ModelCheckpoint source, IReadOnlyDictionary<string, MethodOptions> recipe, CompressionJobOptions options, NeuronOrders orders, CheckpointWriter writer, FinishedLayers finished,
        Stopwatch clock, IProgress<JobProgress>? progress, CancellationToken cancellationToken)
    {
        _source = source;
        _recipe = recipe;
        _options = options;
        _orders = orders;
        _writer = writer;
        _finished = finished;
        _clock = clock;
        _progress = progress;
        _cancellationToken = cancellationToken;
        _sourceHash = source.ComputeHash(cancellationToken);
        // Compressed layers are looked up by the name of their dense tensor.
        LinearDefinition[] chosen = [.. source.Definition.Linears.Where(IsChosen)];
        _byTensor = chosen.SelectMany(linear => linear.Parts.Select(part => (part.WeightName, linear))).ToDictionary();
        _layerCount = chosen.Length;
        _totalWeights = chosen.Sum(Weights);
    }

    /// <summary>Name and version of this library.</summary>
    public static string ToolVersion { get; } =
        "TensorCompress " + typeof(ModelCompressor).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>What became of the layers, in the order of the checkpoint.</summary>
    public IReadOnlyList<LayerReport> Reports => _reports;

    /// <summary>Compresses and writes everything.</summary>
    public void WriteTensors()
    {
        using CalibrationFile? statistics = OpenStatistics();
        if (_options.Calibration?.Windows is { } windows) CompressByCalibration(windows, _options.Calibration);
        foreach (TensorInfo tensor in _source.Tensors.Tensors.Values.Where(tensor => !_source.IsRedundant(tensor.Name)))
        {
            _cancellationToken.ThrowIfCancellationRequested();
            if (!_byTensor.TryGetValue(tensor.Name, out LinearDefinition? linear))
            {
                _writer.Tensors.Add(tensor, stream => _source.Tensors.CopyTo(tensor, stream, _cancellationToken));
                continue;
            }

            if (tensor.Name != linear.Parts[0].WeightName) continue; // stands where the first member stood
            if (!_outcomes.Remove(linear.Name, out Outcome? outcome))
            {
                using LayerStatistics? known = statistics?.Read(linear.Parts[0].Name) is { } read ? _orders.Apply(linear, read) : null;
                outcome = Compress(linear, known);
            }

            using (outcome.Weight) Write(linear, outcome);
        }

        _orders.Write(_writer.Tensors);
    }

    /// <summary>The manifest of what was written; the tensors are complete.</summary>
    public CompressionManifest CreateManifest()
    {
        using SafetensorsFile written = SafetensorsFile.Open(Path.Combine(_writer.Staging, CheckpointWriter.WeightsFile));
        return new CompressionManifest
        {
            Layers = _layers,
            Hashes = written.Tensors.Keys.ToDictionary(name => name, name => TensorHash.Compute(written, name, _cancellationToken)),
            Provenance = new JsonObject
            {
                ["tool"] = ToolVersion,
                ["source_format"] = _source.Format,
                ["source_sha256"] = _sourceHash,
                ["seed"] = _options.Seed,
            },
        };
    }

    /// <summary>Refuses options that do not fit a matrix, or that none of their matrices can use, which is known from shapes and heads alone.</summary>
    /// <exception cref="ArgumentException">Options do not fit; the message names the matrix.</exception>
    public static void ThrowIfUnfit(ModelDefinition definition, IReadOnlyDictionary<string, MethodOptions> recipe)
    {
        HashSet<MethodOptions> withoutHeads = [.. recipe.Values.Where(options => options.NeedsHeads)];
        foreach (LinearDefinition linear in definition.Linears)
        {
            if (recipe.GetValueOrDefault(linear.Name) is not { } options) continue;
            AttentionHeads? heads = definition.HeadsOf(linear);
            if (heads is not null) withoutHeads.Remove(options);
            try
            {
                options.ThrowIfUnfit(linear.OutputDimension, linear.InputDimension, heads);
            }
            catch (Exception fault) when (fault is ArgumentException or NotSupportedException)
            {
                throw Unfit(linear, fault);
            }
        }

        if (withoutHeads.FirstOrDefault() is { } unused)
            throw new ArgumentException($"\"{unused.ToText()}\" says how wide attention heads are, and none of its layers is made of heads (queries, keys, values and output projections are): leave that out, or give it such a layer.");
    }

    /// <summary>Frees what was compressed and not written.</summary>
    public void Dispose()
    {
        foreach (Outcome outcome in _outcomes.Values) outcome.Weight.Dispose();
    }

    private static long Weights(LinearDefinition linear) => (long)linear.OutputDimension * linear.InputDimension;

    private bool IsChosen(LinearDefinition linear) => _recipe.TryGetValue(linear.Name, out MethodOptions? chosen) && !chosen.KeepsSource;

    private CalibrationFile? OpenStatistics()
    {
        if (_options.Calibration?.StatisticsFile is not { } path) return null;
        CalibrationFile file = CalibrationFile.Open(path);
        try
        {
            file.ThrowIfOfAnother(_sourceHash);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private void CompressByCalibration(IReadOnlyList<int[]> windows, CalibrationOptions options)
    {
        using LanguageModel dense = LanguageModel.Load(_source, new LanguageModelOptions { Pool = _options.Pool, WithoutTokenizer = true }, _cancellationToken);
        var pass = new CalibratedPass(dense, windows, IsChosen, (linear, statistics, target) =>
        {
            Outcome outcome = Compress(linear, statistics, target);
            _outcomes.Add(linear.Name, outcome);
            return outcome.Weight;
        });
        pass.Run(options, _cancellationToken);
    }

    private Outcome Compress(LinearDefinition linear, LayerStatistics? inputs, DenseOutputTarget? aim = null)
    {
        var layerClock = Stopwatch.StartNew();
        MethodOptions method = _recipe[linear.Name];
        using Matrix<float> dense = WeightLoader.ReadFinite(_source, linear);
        using Matrix<float>? moved = aim?.Fit(dense.View);
        Matrix<float> target = moved ?? dense;
        using LayerStatistics? weighed = inputs is null ? null : JointImportance.Weigh(linear, target.View, inputs, _options.Pool);
        LayerStatistics? statistics = weighed ?? inputs;
        using LayerStatistics? shrunk = _options.Calibration?.Shrinkage is > 0 and var share ? statistics?.WithShrinkage(share) : null;
        LayerStatistics? told = shrunk ?? statistics;
        AttentionHeads? heads = _source.Definition.HeadsOf(linear);
        string key = FinishedLayers.KeyOf(linear, target.View, method, _options.Seed, told, heads);
        CompressedWeight? known = _finished.Find(key, linear, method.Method);
        CompressedWeight compressed = known ?? Compress(linear, target.View, method, told, heads);
        if (known is null) _finished.Keep(key, linear, compressed, layerClock.Elapsed);
        using Matrix<float> decoded = compressed.ToDense();
        var report = new LayerReport(
            linear.Name, compressed.Method.Name, linear.OutputDimension, linear.InputDimension, compressed.StoredBytes, compressed.BitsPerWeight,
            RelativeError(dense, decoded), statistics?.OutputError(target.View, decoded.View, _options.Pool), layerClock.Elapsed, compressed.Choices);
        _weightsDone += Weights(linear);
        Report(linear, 0);
        return new Outcome(compressed, report);
    }

    private CompressedWeight Compress(LinearDefinition linear, MatrixView<float> target, MethodOptions method, LayerStatistics? statistics, AttentionHeads? heads)
    {
        IProgress<double>? within = _progress is null ? null : new Relay<double>(share => Report(linear, share * Weights(linear)));
        var context = new CompressionContext { Pool = _options.Pool, Seed = _options.Seed, Statistics = statistics, Heads = heads, Status = new Relay<string>(status => _status = status) };
        try
        {
            return method.Method.Compress(target, method, context, within, _cancellationToken);
        }
        catch (ArgumentException fault)
        {
            throw Unfit(linear, fault);
        }
        finally
        {
            _status = null;
        }
    }

    private void Write(LinearDefinition linear, Outcome outcome)
    {
        CompressedWeight compressed = outcome.Weight;
        foreach (WeightPart part in compressed.Parts)
            _writer.Tensors.Add(new TensorInfo($"{linear.Name}.{compressed.Method.Name}.{part.Name}", part.ElementType, part.Shape), part.Write);
        var recorded = new JsonObject();
        foreach ((string name, string value) in _recipe[linear.Name].ToValues()) recorded.Add(name, value);
        _layers.Add(linear.Name, new ManifestLayer(
            compressed.Method.Name, compressed.Method.FormatVersion, linear.OutputDimension, linear.InputDimension, recorded, compressed.Parameters)
        {
            Members = linear.Members.Count == 0 ? [] : [.. linear.PartRows.Select(part => new ManifestMember(part.Part.Name, part.FirstRow, part.Part.OutputDimension))],
        });
        _reports.Add(outcome.Report);
    }

    private void Report(LinearDefinition linear, double weightsWithin) =>
        _progress?.Report(new JobProgress(_reports.Count + _outcomes.Count, _layerCount, linear.Name, (_weightsDone + weightsWithin) / _totalWeights, _clock.Elapsed, _status));

    private static ArgumentException Unfit(LinearDefinition linear, Exception fault) =>
        new($"{linear.Name} ({linear.OutputDimension} x {linear.InputDimension}): {fault.Message}", fault);

    private static double RelativeError(Matrix<float> dense, Matrix<float> decoded)
    {
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

    private sealed record Outcome(CompressedWeight Weight, LayerReport Report);

    // Progress<T> would post to another thread; jobs report in order on their own.
    private sealed class Relay<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
