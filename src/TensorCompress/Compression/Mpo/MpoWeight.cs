using System.Globalization;
using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <summary>A weight matrix as a matrix product operator.</summary>
/// <remarks>
/// Parts: <c>core0</c>, <c>core1</c>, ... of one type: floats [leftBond, output, input, rightBond], or integer codes with <c>core0_scales</c>, <c>core1_scales</c>, ...
/// </remarks>
public sealed class MpoWeight : CompressedWeight
{
    private readonly StoredCore[] _cores;

    /// <summary>Takes stored cores over; <paramref name="chain"/> holds the same elements.</summary>
    private MpoWeight(MatrixProductOperator chain, CoreFormat format, StoredCore[] cores)
        : base(chain.OutputDimension, chain.InputDimension)
    {
        Operator = chain;
        Format = format;
        _cores = cores;
        Parts = [.. cores.SelectMany(CoreParts)];
    }

    /// <summary>The cores as they are stored, decoded; they belong to this weight.</summary>
    public MatrixProductOperator Operator { get; }

    /// <summary>How the cores are stored.</summary>
    public CoreFormat Format { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => MpoMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters
    {
        get
        {
            var parameters = new JsonObject
            {
                [MpoMethod.OutputFactorsParameter] = ToJson(Operator.Factors.Outputs),
                [MpoMethod.InputFactorsParameter] = ToJson(Operator.Factors.Inputs),
                [MpoMethod.BondsParameter] = ToJson(Operator.BondDimensions),
                [MpoMethod.TypeParameter] = Format.TypeName(),
            };
            if (Operator.RelativeError is double error) parameters.Add(MpoMethod.RelativeErrorParameter, error);
            return parameters;
        }
    }

    /// <summary>Which bonds are the most they can use, whatever the options say, and how many parameters there are where that is more than the matrix has; null where neither is so.</summary>
    public override string? Choices
    {
        get
        {
            long[] useful = Operator.Factors.UsefulBonds();
            double share = Operator.ParameterCount / ((double)OutputDimension * InputDimension);
            List<string> notes = [.. useful.Select((most, bond) => (Most: most, Bond: bond + 1)).Where(entry => entry.Most > 1 && Operator.BondDimensions[entry.Bond] == entry.Most)
                .Select(entry => $"bond {entry.Bond} is {entry.Most}, the most it can use")];
            if (share > 1) notes.Add(string.Create(CultureInfo.InvariantCulture, $"{share:P0} of the dense parameters"));
            return notes.Count > 0 ? string.Join("; ", notes) : null;
        }
    }

    /// <summary>Stores an operator.</summary>
    /// <param name="chain">Read only. With F32 its <see cref="MatrixProductOperator.RelativeError"/> is kept, which single precision changes by about 1e-7; what the error is with other formats is not known without W.</param>
    /// <param name="format">How the cores are stored.</param>
    /// <exception cref="ArgumentException">An element, or a scale, is beyond the range of the format.</exception>
    public static MpoWeight FromOperator(MatrixProductOperator chain, CoreFormat format)
    {
        ArgumentNullException.ThrowIfNull(chain);
        // Integers: left-orthogonal cores, so that all columns of a core have one scale and rounding costs each singular value its share. Floats do not mind: an even gauge.
        using MatrixProductOperator gauged = format.IsInteger() ? chain.Leveled() : chain.Balanced();
        return FromStored(gauged, format, [.. gauged.Cores.Select(core => StoredCore.Round(core, format))], format == CoreFormat.F32 ? chain.RelativeError : null);
    }

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options) => CreateLayer(options.Plan == RuntimePlan.Fastest ? MpoPlan.Fastest : MpoPlan.ByShape);

    /// <inheritdoc/>
    internal override MethodOptions WithChoices(MethodOptions options) => (MpoOptions)options with { Factors = Operator.Factors, Search = false, HeadDimension = null };

    /// <summary>Packs the weight to multiply in a given way.</summary>
    public MpoLayer CreateLayer(MpoPlan plan) => new(OutputDimension, InputDimension, Operator.Factors, Operator.BondDimensions, _cores, Operator.RelativeError, plan);

    /// <summary>Compresses a matrix.</summary>
    internal static MpoWeight Make(
        MatrixView<float> weights, MpoOptions options, ComputePool pool, LayerStatistics? statistics, AttentionHeads? heads, IProgress<double>? progress,
        CancellationToken cancellationToken)
    {
        using MatrixProductOperator chain = MpoFactorizer.Fit(weights, options, pool, statistics, heads, progress, cancellationToken);
        MpoWeight weight = FromOperator(chain, options.Cores);
        weight.Operator.MeasureError(weights, pool);
        return weight;
    }

    /// <summary>Takes stored cores over.</summary>
    /// <param name="shape">An operator of the same shape.</param>
    /// <param name="format">How they are stored.</param>
    /// <param name="cores">The cores.</param>
    /// <param name="relativeError">Their error, null where it is not known.</param>
    internal static MpoWeight FromStored(MatrixProductOperator shape, CoreFormat format, StoredCore[] cores, double? relativeError) =>
        FromStored(shape.OutputDimension, shape.InputDimension, shape.Factors, [.. shape.BondDimensions], format, cores, relativeError);

    /// <inheritdoc cref="FromStored(MatrixProductOperator, CoreFormat, StoredCore[], double?)"/>
    internal static MpoWeight FromStored(int outputs, int inputs, SiteFactors factors, int[] bonds, CoreFormat format, StoredCore[] cores, double? relativeError) =>
        new(new MatrixProductOperator(outputs, inputs, factors, bonds, [.. cores.Select(core => core.Decode())]) { RelativeError = relativeError }, format, cores);

    /// <summary>The name of a core's part.</summary>
    internal static string PartName(int site) => $"core{site}";

    /// <summary>The name of the part with a core's scales.</summary>
    internal static string ScalesName(int site) => $"core{site}_scales";

    /// <summary>The shape of a core's part.</summary>
    internal static long[] PartShape(SiteFactors factors, IReadOnlyList<int> bonds, int site, CoreFormat format)
    {
        long[] shape = [bonds[site], factors.Outputs[site], factors.Inputs[site], bonds[site + 1]];
        return format == CoreFormat.Int4 ? [format.ValueBytes(shape.Aggregate(1L, (product, dimension) => product * dimension))] : shape;
    }

    /// <inheritdoc/>
    protected override WeightExplanation ExplainMethod() => MpoExplanation.Of(Operator, Format, MpoPlan.ByShape);

    /// <inheritdoc/>
    protected override void WriteDense(MatrixView<float> destination) => Operator.ToDense(destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Operator.Dispose();
            foreach (StoredCore core in _cores) core.Dispose();
        }

        base.Dispose(disposing);
    }

    private IEnumerable<WeightPart> CoreParts(StoredCore core, int site)
    {
        yield return StoredParts.Part(PartName(site), Format.ElementType(), PartShape(Operator.Factors, Operator.BondDimensions, site, Format), core.Values);
        if (core.Scales is not null) yield return StoredParts.Part(ScalesName(site), ElementType.F16, [core.Scales.Columns / 2], core.Scales);
    }

    private static JsonArray ToJson(IEnumerable<int> values) => new([.. values.Select(value => (JsonNode)value)]);
}
