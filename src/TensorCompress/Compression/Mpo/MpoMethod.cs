using TensorCompress.Kernels;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>Matrix product operators: W as a chain of small cores, cut at a bond dimension.</summary>
public sealed class MpoMethod : ICompressionMethod
{
    internal const string ChiOption = "chi", ShareOption = "share", SitesOption = "sites", OutputFactorsOption = "output-factors", InputFactorsOption = "input-factors", CoresOption = "cores";

    internal const string OutputFactorsParameter = "output_factors", InputFactorsParameter = "input_factors", BondsParameter = "bonds", TypeParameter = "type", RelativeErrorParameter = "relative_error";

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
        new(ChiOption, "N", "limit of every bond dimension, at least 1; this or share is required"),
        new(ShareOption, "S", "parameters kept over parameters of the matrix, above 0 and at most 1; this or chi is required"),
        new(SitesOption, "N", "number of cores, 1 to 16; default 2"),
        new(OutputFactorsOption, "N,N", "factors of the rows, one for each core; with input-factors; default balanced"),
        new(InputFactorsOption, "N,N", "factors of the columns, one for each core; with output-factors; default balanced"),
        new(CoresOption, "f32|f16|bf16", "type of the stored cores; default f32"),
    ];

    /// <inheritdoc/>
    public IReadOnlyList<MethodOptions> ShowcaseOptions { get; } = [MpoOptions.WithShare(0.75), MpoOptions.WithShare(0.5), MpoOptions.WithShare(0.25)];

    /// <inheritdoc/>
    public MethodOptions ParseOptions(IReadOnlyDictionary<string, string> values)
    {
        var read = new OptionValues(this, values);
        read.ThrowIfUnknown();
        int? chi = read.Int32(ChiOption), sites = read.Int32(SitesOption);
        double? share = read.Double(ShareOption);
        if (chi is null == share is null) throw new ArgumentException($"The method \"{Name}\" takes either \"{ChiOption}\" or \"{ShareOption}\".", nameof(values));
        SiteFactors? factors = ParseFactors(read.Int32List(OutputFactorsOption), read.Int32List(InputFactorsOption));
        if (factors is not null && sites is not null && sites != factors.Sites)
            throw new ArgumentException($"{factors.Sites} factors do not fit \"{SitesOption}\" {sites}.", nameof(values));
        MpoOptions options = chi is int limit ? MpoOptions.WithChi(limit) : MpoOptions.WithShare(share!.Value);
        return options with { Sites = sites ?? 2, Factors = factors, Type = read.FloatType(CoresOption) ?? ElementType.F32 };
    }

    /// <inheritdoc/>
    public CompressedWeight Compress(MatrixView<float> weights, MethodOptions options, CompressionContext context, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        var mpo = options as MpoOptions ?? throw new ArgumentException($"Options of the mpo method are required, not {options.GetType().Name}.", nameof(options));
        return new MpoWeight(MpoFactorizer.Factorize(weights, mpo, context.Pool, progress, cancellationToken), mpo.Type);
    }

    /// <inheritdoc/>
    public CompressedWeight Read(StoredWeight stored)
    {
        SiteFactors factors = ReadFactors(stored);
        int[] bonds = stored.PositiveList(BondsParameter, SiteFactors.MaxSites + 1);
        if (bonds.Length != factors.Sites + 1 || bonds[0] != 1 || bonds[^1] != 1)
            throw stored.Fault(TensorFormatError.Inconsistent, $"bond dimensions {string.Join(", ", bonds)}; {factors.Sites} cores have {factors.Sites + 1}, the outer ones 1");
        ElementType type = stored.ElementType(TypeParameter, ElementType.F32, ElementType.F16, ElementType.BF16);
        double error = stored.NonNegative(RelativeErrorParameter);
        Matrix<float>[] cores = [.. Enumerable.Range(0, factors.Sites).Select(site => ReadCore(stored, factors, bonds, site, type))];
        return new MpoWeight(new MatrixProductOperator(stored.OutputDimension, stored.InputDimension, factors, bonds, cores, error), type);
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

    private Matrix<float> ReadCore(StoredWeight stored, SiteFactors factors, int[] bonds, int site, ElementType type)
    {
        string part = MpoWeight.PartName(site);
        using Matrix<byte> bytes = stored.ReadBytes(this, part, type, MpoWeight.Shape(factors, bonds, site));
        stored.ThrowIfNotFinite(this, part, type, bytes);
        int outputs = factors.Outputs[site], rowBytes = checked((int)(bytes.Columns / outputs));
        var core = new Matrix<float>(bytes.Rows * outputs, rowBytes / (type.BitWidth() / 8));
        for (nint row = 0; row < core.Rows; row++)
            ElementConversion.ToSingle(type, bytes.Row(row / outputs).Slice((int)(row % outputs) * rowBytes, rowBytes), core.Row(row));
        return core;
    }
}
