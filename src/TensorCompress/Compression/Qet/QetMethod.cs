using System.Globalization;
using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Compression.Qet.Universal;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>Quantum Entanglement Trees as a method for weights: rows are outputs, column groups are neighbouring inputs.</summary>
public sealed class QetMethod : ICompressionMethod
{
    internal const string BitsOption = "bits", SubspacesOption = "subspaces", LayersOption = "layers", SharesOption = "shares", CodebookBitsOption = "codebook-bits",
        GridPerGroupOption = "grid-per-group", IterationsOption = "iterations", BeamOption = "beam", RotateOption = "rotate", FormOption = "form", RotationOption = "rotation", EntropyCodingOption = "entropy-coding";

    internal const string SubspacesParameter = "subspaces", LayersParameter = "swap_layers", CentroidsParameter = "centroids", CodebookBitsParameter = "codebook_bits", GridPerGroupParameter = "grid_per_group", FormParameter = "form";

    private const string Universal = "universal";

    /// <summary>
    /// Fitted codebooks are raced where the brief trial of a rival errs at most so many times as much as universal ones, squared: planned ones err down to half as much as the best rival. With statistics universal ones, which aim at
    /// outputs, err more, and a race takes longer.
    /// </summary>
    private const double Promising = 2, PromisingWithStatistics = 0.5;

    private static readonly double[] PaperShares = [0.7, 0.3];

    private QetMethod()
    {
    }

    /// <summary>The method.</summary>
    public static QetMethod Instance { get; } = new();

    /// <inheritdoc/>
    public string Name => "qet";

    /// <inheritdoc/>
    public string Description => "codebooks for groups of columns, in stages, after swaps of neighbours where they help (Quantum Entanglement Trees)";

    /// <inheritdoc/>
    public int FormatVersion => 1;

    /// <inheritdoc/>
    public IReadOnlyList<MethodOption> Options { get; } =
    [
        new(BitsOption, "B", "all stored bits per weight, codebooks and swaps included; default 3"),
        new(FormOption, "F", "auto, fitted or universal: codebooks of the matrix's own, universal ones for rotated weights, or the better, where brief trials of the former are promising"),
        new(RotationOption, "N", "width of the blocks of columns that are rotated before universal codebooks, a power of two, 1 for none; default the widest up to 256"),
        new(SubspacesOption, "N", "fitted codebooks: groups of neighbouring columns, each with its codebooks; by default these and all options below are chosen by trials"),
        new(LayersOption, "N,N,...", "swap layers of each stage; default 3,0"),
        new(SharesOption, "S,S,...", "share of each stage in the bits that swaps leave; default 0.7,0.3 for two stages, otherwise equal"),
        new(CodebookBitsOption, "N", "bits of a number of a codebook, 2 to 16, or 32 for floats; default 10"),
        new(GridPerGroupOption, null, "a least value and step of codebooks for each group instead of each stage"),
        new(IterationsOption, "N", "iterations of k-means at most; default 20"),
        new(BeamOption, "N", "partial sums kept while codes of stages without swaps are searched together, 1 to 64; default 1, stage after stage"),
        new(RotateOption, "R", "none, hadamard or learnt: what rows are rotated by before swaps and fitted codebooks; default none"),
        new(EntropyCodingOption, null, "hold what is stored entropy coded where that makes a file smaller; a model is decoded when it is loaded and runs as without"),
    ];

    /// <inheritdoc/>
    public IReadOnlyList<MethodOptions> ShowcaseOptions { get; } = [new QetMethodOptions(4, QetForm.Universal), new QetMethodOptions(3, QetForm.Universal)];

    /// <inheritdoc/>
    public MethodOptions ParseOptions(IReadOnlyDictionary<string, string> values)
    {
        var read = new OptionValues(this, values);
        read.ThrowIfUnknown();
        double bits = read.Double(BitsOption) ?? QetMethodOptions.DefaultBits;
        if (read.Int32(SubspacesOption) is not { } subspaces)
        {
            if (values.Keys.FirstOrDefault(name => name is not (BitsOption or FormOption or RotationOption or EntropyCodingOption)) is { } alone)
                throw new ArgumentException($"Option \"{alone}\" of the method \"{Name}\" requires \"{SubspacesOption}\".", nameof(values));
            QetForm form = read.Choice<QetForm>(FormOption) ?? QetForm.Auto;
            QetMethodOptions chosen = form == QetForm.Auto && !values.ContainsKey(RotationOption) ? new QetMethodOptions(bits) : new QetMethodOptions(bits, form, read.Int32(RotationOption) ?? 0);
            return chosen with { EntropyCoding = read.Switch(EntropyCodingOption) };
        }

        if (values.Keys.FirstOrDefault(name => name is FormOption or RotationOption) is { } other)
            throw new ArgumentException($"Option \"{other}\" of the method \"{Name}\" has no meaning beside \"{SubspacesOption}\".", nameof(values));
        int[] layers = read.Int32List(LayersOption) ?? [3, 0];
        double[] shares = read.DoubleList(SharesOption) ?? (layers.Length == 2 ? PaperShares : [.. layers.Select(_ => 1.0 / layers.Length)]);
        if (shares.Length != layers.Length) throw new ArgumentException($"{layers.Length} stages do not have {shares.Length} shares.", nameof(values));
        QetStageOptions[] stages = [.. layers.Zip(shares, (layer, share) => new QetStageOptions(layer, share))];
        var codec = new QetOptions(subspaces, stages, read.Int32(CodebookBitsOption) ?? 10, read.Switch(GridPerGroupOption), read.Int32(IterationsOption) ?? 20)
        {
            BeamWidth = read.Int32(BeamOption) ?? 1,
            Rotation = read.Choice<QetRotation>(RotateOption) ?? QetRotation.None,
        };
        return new QetMethodOptions(bits, codec) { EntropyCoding = read.Switch(EntropyCodingOption) };
    }

    /// <inheritdoc/>
    public CompressedWeight Compress(MatrixView<float> weights, MethodOptions options, CompressionContext context, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        var chosen = options as QetMethodOptions ?? throw new ArgumentException($"Options of Quantum Entanglement Trees are required, not {options.GetType().Name}.", nameof(options));
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        cancellationToken.ThrowIfCancellationRequested();
        CompressedWeight weight = Compress(weights, chosen, chosen.BudgetFor(weights.Rows, weights.Columns), context, cancellationToken);
        if (chosen.EntropyCoding) weight = weight is UniversalWeight universal ? universal.WithEntropyCoding() : ((QetWeight)weight).WithEntropyCoding();
        progress?.Report(1);
        return weight;
    }

    /// <inheritdoc/>
    public CompressedWeight Read(StoredWeight stored)
    {
        QetRotation[] rotations = Enum.GetValues<QetRotation>();
        string form = stored.Text(FormParameter, [Universal, .. rotations.Select(QetWeight.Form)]);
        if (form == Universal) return UniversalWeight.Read(stored, this);
        QetPlan plan = ReadPlan(stored, rotations.Single(rotation => QetWeight.Form(rotation) == form));
        EntropyCodedParts coded = EntropyCodedParts.Read(stored);
        var stages = new QetEncodedStage[plan.Centroids.Count];
        for (int i = 0; i < stages.Length; i++)
        {
            BitAccount account = plan.AccountOf(i);
            int stage = i;
            byte[] swaps = ReadStream(stored, coded, QetWeight.SwapsPart + i, account.Swaps, (ref EntropyDecoder decoder, Span<byte> part) => StageCoding.Swaps(ref decoder, plan, stage, part));
            EntropyCodedParts ofNumbers = plan.Grids > 0 ? coded : EntropyCodedParts.None; // floats are not coded
            byte[] numbers = ReadStream(stored, ofNumbers, QetWeight.CodebookPart + i, account.Codebooks, (ref EntropyDecoder decoder, Span<byte> part) => StageCoding.Codebook(ref decoder, plan, stage, part));
            var codebook = new QetCodebook(plan, i, numbers, ReadScales(stored, QetWeight.ScalesPart + i, plan.Grids));
            QetEncodedStage? before = i == 0 ? null : stages[i - 1];
            byte[] codes = ReadStream(stored, coded, QetWeight.CodesPart + i, account.Codes, (ref EntropyDecoder decoder, Span<byte> part) => StageCoding.Codes(ref decoder, codebook, part, before));
            stages[i] = new QetEncodedStage(swaps, codes, codebook, plan.Options.Stages[i].SwapLayers, plan.CodeBits(i), plan.Centroids[i]);
            if (stages[i].Fault(plan.Rows, plan.Options.Subspaces) is { } fault) throw stored.Fault(TensorFormatError.Value, fault.Message, StoredParts.TensorName(stored.Layer, this, fault.Part + i));
        }

        RowRotation? rotation = plan.Options.Rotation switch
        {
            QetRotation.Hadamard => new HadamardRotation(stored.InputDimension),
            QetRotation.Learnt => LearntRotation.Read(stored, this, coded),
            _ => null,
        };
        coded.ThrowIfUnknown(stored);
        return new QetWeight(new QetTensor(plan, stages, rotation), coded);
    }

    private static CompressedWeight Compress(MatrixView<float> weights, QetMethodOptions options, long budget, CompressionContext context, CancellationToken cancellationToken)
    {
        if (options.Codec is { } codec)
        {
            using QetMetrics? metrics = context.Statistics is { } statistics ? new QetMetrics(statistics, context.Pool) : null;
            return new QetWeight(QetCodec.CompressInMetric(weights, QetPlan.ForBudget(weights.Rows, weights.Columns, budget, codec with { Seed = context.Seed }), metrics, context.Pool, cancellationToken));
        }

        long least = 0, leastFitted = QetPlanner.LeastBytes(weights.Rows, weights.Columns);
        UniversalRows? universal = options.Form == QetForm.Fitted ? null : UniversalQuantizer.Quantize(weights, budget, options.Rotation, context.Statistics, context.Pool, cancellationToken, out least);
        if (universal is null && (options.Form == QetForm.Universal || budget < leastFitted))
        {
            string bits = options.Bits.ToString(CultureInfo.InvariantCulture), what = options.Form == QetForm.Universal ? "universal codebooks" : "one centroid";
            least = options.Form switch { QetForm.Universal => least, QetForm.Fitted => leastFitted, _ => Math.Min(least, leastFitted) };
            throw new ArgumentException($"{bits} bits per weight of {weights.Rows} x {weights.Columns} do not pay for {what}: the least is {QetBudget.Named(least, weights.Rows, weights.Columns)}.");
        }

        if (universal is null) return new QetWeight(QetPlanner.Compress(weights, budget, context.Seed, context.Statistics, context.Pool, cancellationToken));
        var other = new UniversalWeight(universal);
        return options.Form == QetForm.Universal || budget < leastFitted ? other : Race(weights, other, budget, context, cancellationToken);
    }

    /// <summary>Fitted codebooks where brief trials say that they may err less than universal ones, and do.</summary>
    private static CompressedWeight Race(MatrixView<float> weights, UniversalWeight universal, long budget, CompressionContext context, CancellationToken cancellationToken)
    {
        double margin = context.Statistics is null ? Promising : PromisingWithStatistics;
        if (QetPlanner.Promise(weights, budget, context.Seed, context.Pool, cancellationToken) > margin * Error(universal, new QetError(weights, null, context.Pool))) return universal;
        var fitted = new QetWeight(QetPlanner.Compress(weights, budget, context.Seed, context.Statistics, context.Pool, cancellationToken));
        var measure = new QetError(weights, context.Statistics, context.Pool);
        if (Error(fitted, measure) < Error(universal, measure))
        {
            universal.Dispose();
            return fitted;
        }

        fitted.Dispose();
        return universal;

        static double Error(CompressedWeight weight, QetError measure)
        {
            using Matrix<float> dense = weight.ToDense();
            return measure.Of(dense.View);
        }
    }

    private static QetPlan ReadPlan(StoredWeight stored, QetRotation rotation)
    {
        int count = stored.PositiveList(CentroidsParameter, QetOptions.MaxStages).Length;
        int[] centroids = stored.Int32List(CentroidsParameter, count, 1, 1 << QetPlan.MaxCodeBits), layers = stored.Int32List(LayersParameter, count, 0, QetOptions.MaxSwapLayers);
        int subspaces = stored.Int32(SubspacesParameter, 1, stored.InputDimension), bits = stored.Int32(CodebookBitsParameter, 2, QetOptions.FloatBits);
        bool gridPerGroup = stored.Boolean(GridPerGroupParameter);
        try
        {
            var options = new QetOptions(subspaces, [.. layers.Select(layer => new QetStageOptions(layer, 1.0 / count))], bits, gridPerGroup) { Rotation = rotation };
            return QetPlan.WithCentroids(stored.OutputDimension, stored.InputDimension, centroids, options);
        }
        catch (Exception fault) when (fault is ArgumentException or NotSupportedException)
        {
            throw new TensorFormatException(TensorFormatError.Value, fault.Message, tensor: stored.Layer, innerException: fault);
        }
    }

    private byte[] ReadStream(StoredWeight stored, EntropyCodedParts coded, string part, long bits, EntropyCodedParts.Decoding decoding)
    {
        if (bits == 0) return [];
        using Matrix<byte> bytes = coded.ReadBytes(stored, this, part, ElementType.U8, decoding, BitStream.Padded(bits) / 8);
        return bytes.RowSpan(0, bytes.Rows).ToArray();
    }

    private float[] ReadScales(StoredWeight stored, string part, int grids)
    {
        if (grids == 0) return [];
        using Matrix<byte> bytes = stored.ReadBytes(this, part, ElementType.F32, grids, 2);
        stored.ThrowIfNotFinite(this, part, ElementType.F32, bytes);
        float[] scales = new float[2 * grids];
        Kernels.ElementConversion.ToSingle(ElementType.F32, bytes.RowSpan(0, grids), scales);
        return scales;
    }
}
