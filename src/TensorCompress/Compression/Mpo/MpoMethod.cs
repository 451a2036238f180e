using System.Text.Json.Nodes;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>Matrix product operators: W as a chain of small cores, cut at a bond dimension.</summary>
public sealed class MpoMethod : ICompressionMethod
{
    internal const string ChiOption = "chi", BondsOption = "bonds", ToleranceOption = "tolerance", ShareOption = "share", BytesOption = "bytes";

    internal const string SitesOption = "sites", OutputFactorsOption = "output-factors", InputFactorsOption = "input-factors", SearchOption = "search", HeadOption = "head-dimension", NeuronOrderOption = "neuron-order";

    internal const string FitOption = "fit", SweepsOption = "sweeps", RidgeOption = "ridge", CoresOption = "cores";

    internal const string OutputFactorsParameter = "output_factors", InputFactorsParameter = "input_factors", BondsParameter = "bonds", TypeParameter = "type", RelativeErrorParameter = "relative_error";

    // Index = (int)MpoFit.
    private static readonly string[] FitNames = ["automatic", "weights", "diagonal", "kronecker", "alternating"];

    private MpoMethod()
    {
    }

    /// <summary>The method.</summary>
    public static MpoMethod Instance { get; } = new();

    /// <inheritdoc/>
    public string Name => "mpo";

    /// <inheritdoc/>
    public string Description => "matrix product operator: a chain of cores joined by bonds of limited dimension";

    /// <inheritdoc/>
    public int FormatVersion => 1;

    /// <inheritdoc/>
    public IReadOnlyList<MethodOption> Options { get; } =
    [
        new(ChiOption, "N", "limit of every bond dimension, at least 1; this or another limit is required"),
        new(BondsOption, "N,N", "limits of the inner bonds one by one, one fewer than the sites"),
        new(ToleranceOption, "E", "relative error allowed, at least 0 and less than 1: with calibration of the outputs, measured fit by fit; without it, or with the fit weights, of the matrix"),
        new(ShareOption, "S", "parameters kept over parameters of the matrix, above 0 and at most 1"),
        new(BytesOption, "N", "bytes of the stored cores of a matrix, an upper bound"),
        new(SitesOption, "N", "number of cores, 1 to 16; default 2; a search without it tries 2, 3 and 4"),
        new(OutputFactorsOption, "N,N", "factors of the rows, one for each core; with input-factors; default balanced"),
        new(InputFactorsOption, "N,N", "factors of the columns, one for each core; with output-factors; default balanced"),
        new(SearchOption, null, "search sizes, orders and number of the factors for the smallest error at equal parameters; what separates cores of queries, keys, values and output projections lies between heads or parts of a head"),
        new(HeadOption, "N", "width of an attention head in place of the model's, for all choices of factors: it divides the rows of queries, keys, values, the columns of output projections; 1 leaves heads out of account"),
        new(NeuronOrderOption, null, "change the order of the neurons of feed-forward layers (gate, up and down together) where that lowers the error; the model stays the same"),
        new(FitOption, "automatic|weights|diagonal|kronecker|alternating", "what the cores are fitted to; default automatic: without calibration weights, with it alternating, and with share or bytes the factors are chosen too"),
        new(SweepsOption, "N", "sweeps of alternating least squares, 0 to 1000; default 10"),
        new(RidgeOption, "R", "added to the second moment's diagonal, in units of its mean, above 0 and at most 1; default 0.0001"),
        new(CoresOption, "f32|f16|bf16|int8|int4", "how cores are stored; default f32"),
    ];

    /// <inheritdoc/>
    public IReadOnlyList<MethodOptions> ShowcaseOptions { get; } = [MpoOptions.WithShare(0.75), MpoOptions.WithShare(0.5), MpoOptions.WithShare(0.25)];

    /// <inheritdoc/>
    public MethodOptions ParseOptions(IReadOnlyDictionary<string, string> values)
    {
        var read = new OptionValues(this, values);
        read.ThrowIfUnknown();
        SiteFactors? factors = ParseFactors(read.Int32List(OutputFactorsOption), read.Int32List(InputFactorsOption));
        int? sites = read.Int32(SitesOption);
        if (factors is not null && sites is not null && sites != factors.Sites)
            throw new ArgumentException($"{factors.Sites} factors do not fit \"{SitesOption}\" {sites}.", nameof(values));
        return new MpoOptions(ParseTruncation(read))
        {
            Sites = sites ?? 2,
            Factors = factors,
            Search = read.Switch(SearchOption),
            SearchSites = read.Switch(SearchOption) && sites is null && !values.ContainsKey(BondsOption),
            HeadDimension = read.Int32(HeadOption),
            NeuronOrder = read.Switch(NeuronOrderOption),
            Fit = Choice(values, FitOption, FitNames, MpoFit.Automatic),
            Sweeps = read.Int32(SweepsOption) ?? MpoOptions.DefaultSweeps,
            Ridge = read.Double(RidgeOption) ?? MpoOptions.DefaultRidge,
            Cores = ParseCores(values),
        };
    }

    /// <inheritdoc/>
    public CompressedWeight Compress(MatrixView<float> weights, MethodOptions options, CompressionContext context, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        var mpo = options as MpoOptions ?? throw new ArgumentException($"Options of the mpo method are required, not {options.GetType().Name}.", nameof(options));
        return MpoWeight.Make(weights, mpo, context.Pool, context.Statistics, context.Heads, progress, cancellationToken);
    }

    /// <inheritdoc/>
    public CompressedWeight Read(StoredWeight stored)
    {
        SiteFactors factors = ReadFactors(stored);
        int[] bonds = stored.PositiveList(BondsParameter, SiteFactors.MaxSites + 1);
        if (bonds.Length != factors.Sites + 1 || bonds[0] != 1 || bonds[^1] != 1)
            throw stored.Fault(TensorFormatError.Inconsistent, $"bond dimensions {string.Join(", ", bonds)}; {factors.Sites} cores have {factors.Sites + 1}, the outer ones 1");
        CoreFormat format = ReadFormat(stored);
        double? error = stored.Parameters.ContainsKey(RelativeErrorParameter) ? stored.NonNegative(RelativeErrorParameter) : null;
        StoredCore[] cores = [.. Enumerable.Range(0, factors.Sites).Select(site => ReadCore(stored, factors, bonds, site, format))];
        return MpoWeight.FromStored(stored.OutputDimension, stored.InputDimension, factors, bonds, format, cores, error);
    }

    internal static string FitName(MpoFit fit) => FitNames[(int)fit];

    private MpoTruncation ParseTruncation(OptionValues read)
    {
        MpoTruncation?[] given =
        [
            read.Int32(ChiOption) is int chi ? MpoTruncation.ToChi(chi) : null,
            read.Int32List(BondsOption) is { } bonds ? MpoTruncation.ToBonds(bonds) : null,
            read.Double(ToleranceOption) is double tolerance ? MpoTruncation.ToTolerance(tolerance) : null,
            read.Double(ShareOption) is double share ? MpoTruncation.ToShare(share) : null,
            read.Int64(BytesOption) is long bytes ? MpoTruncation.ToBytes(bytes) : null,
        ];
        return given.Count(truncation => truncation is not null) == 1
            ? given.Single(truncation => truncation is not null)!
            : throw new ArgumentException($"The method \"{Name}\" takes one of \"{ChiOption}\", \"{BondsOption}\", \"{ToleranceOption}\", \"{ShareOption}\" and \"{BytesOption}\".");
    }

    private MpoFit Choice(IReadOnlyDictionary<string, string> values, string option, string[] names, MpoFit absent)
    {
        if (!values.TryGetValue(option, out string? text)) return absent;
        int index = Array.IndexOf(names, text);
        return index >= 0 ? (MpoFit)index : throw new ArgumentException($"Option \"{option}\" of the method \"{Name}\" is one of {string.Join(", ", names)}, not \"{text}\".");
    }

    private CoreFormat ParseCores(IReadOnlyDictionary<string, string> values)
    {
        if (!values.TryGetValue(CoresOption, out string? text)) return CoreFormat.F32;
        return CoreFormats.TryParseOption(text, out CoreFormat format)
            ? format
            : throw new ArgumentException($"Option \"{CoresOption}\" of the method \"{Name}\" is one of {CoreFormats.AllOptionNames}, not \"{text}\".");
    }

    private static CoreFormat ReadFormat(StoredWeight stored)
    {
        string text = stored.Parameters[TypeParameter] is JsonValue value && value.TryGetValue(out string? name) ? name : "";
        return CoreFormats.TryParseType(text, out CoreFormat format)
            ? format
            : throw stored.Fault(TensorFormatError.Type, $"parameter \"{TypeParameter}\" is \"{text}\"; it is one of {CoreFormats.AllTypeNames}");
    }

    private static SiteFactors? ParseFactors(int[]? outputs, int[]? inputs)
    {
        if (outputs is null && inputs is null) return null;
        if (outputs is null || inputs is null) throw new ArgumentException($"\"{OutputFactorsOption}\" and \"{InputFactorsOption}\" are given together.");
        return new SiteFactors(outputs, inputs);
    }

    private static SiteFactors ReadFactors(StoredWeight stored)
    {
        int[] outputs = stored.PositiveList(OutputFactorsParameter, SiteFactors.MaxSites), inputs = stored.PositiveList(InputFactorsParameter, SiteFactors.MaxSites);
        try
        {
            var factors = new SiteFactors(outputs, inputs);
            factors.ThrowIfUnfit(stored.OutputDimension, stored.InputDimension);
            return factors;
        }
        catch (ArgumentException fault)
        {
            throw new TensorFormatException(TensorFormatError.Inconsistent, fault.Message, tensor: stored.Layer, innerException: fault);
        }
    }

    private StoredCore ReadCore(StoredWeight stored, SiteFactors factors, int[] bonds, int site, CoreFormat format)
    {
        string part = MpoWeight.PartName(site);
        long rows = (long)bonds[site] * factors.Outputs[site], columns = (long)factors.Inputs[site] * bonds[site + 1];
        if (rows > int.MaxValue || columns > int.MaxValue)
            throw stored.Fault(TensorFormatError.Overflow, $"core {site} would have {rows} rows of {columns}");
        using Matrix<byte> bytes = stored.ReadBytes(this, part, format.ElementType(), MpoWeight.PartShape(factors, bonds, site, format));
        Matrix<byte> values = Flatten(bytes);
        if (!format.IsInteger())
        {
            stored.ThrowIfNotFinite(this, part, format.ElementType(), values);
            return new StoredCore(format, (int)rows, (int)columns, values, scales: null);
        }

        string scalesPart = MpoWeight.ScalesName(site);
        using Matrix<byte> scaleBytes = stored.ReadBytes(this, scalesPart, ElementType.F16, [format.ScaleCount(rows * columns)]);
        Matrix<byte> scales = Flatten(scaleBytes);
        stored.ThrowIfNotFinite(this, scalesPart, ElementType.F16, scales);
        return new StoredCore(format, (int)rows, (int)columns, values, scales);
    }

    private static Matrix<byte> Flatten(Matrix<byte> rows)
    {
        var flat = new Matrix<byte>(1, rows.Rows * rows.Columns);
        for (nint row = 0; row < rows.Rows; row++) rows.Row(row).CopyTo(flat.Row(0)[(int)(row * rows.Columns)..]);
        return flat;
    }
}
