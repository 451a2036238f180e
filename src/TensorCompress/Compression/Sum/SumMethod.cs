using System.Text.Json.Nodes;
using TensorCompress.Compression.LowRank;
using TensorCompress.Compression.Scalar;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Sum;

/// <summary>Sums of weights of other methods, such as a low rank with a quantised residual, with outlier columns beside them. The one method that sees others.</summary>
public sealed class SumMethod : ICompressionMethod
{
    internal const string TermsOption = "terms", OutlierColumnsOption = "outlier-columns", ColumnTypeOption = "column-type", RoundsOption = "rounds";

    internal const string ColumnsParameter = "columns", ColumnTypeParameter = "column_type", MethodParameter = "method", VersionParameter = "version", ParametersParameter = "parameters";

    private SumMethod()
    {
    }

    /// <summary>The method.</summary>
    public static SumMethod Instance { get; } = new();

    /// <inheritdoc/>
    public string Name => "sum";

    /// <inheritdoc/>
    public string Description => "a sum of other methods, each fitted to what the others leave, and outlier columns as they are";

    /// <inheritdoc/>
    public int FormatVersion => 1;

    /// <inheritdoc/>
    public IReadOnlyList<MethodOption> Options { get; } =
    [
        new(TermsOption, "M:O=V+M:O=V", $"methods with their options, for instance lowrank:share=0.2+scalar:bits=2, 1 to {SumOptions.MaximumTerms}"),
        new(OutlierColumnsOption, "N", "input columns beside the terms, those that carry the most; default 0"),
        new(ColumnTypeOption, "f32|f16|bf16", "type of those columns; default f16"),
        new(RoundsOption, "N", $"rounds in which each term is fitted to what the others leave, at least 1; default {SumOptions.DefaultRounds}"),
    ];

    /// <inheritdoc/>
    public IReadOnlyList<MethodOptions> ShowcaseOptions { get; } = [new SumOptions([new LowRankOptions(rank: 4, type: ElementType.F16), new ScalarOptions(3)], outlierColumns: 2)];

    /// <inheritdoc/>
    public MethodOptions ParseOptions(IReadOnlyDictionary<string, string> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var read = new OptionValues(this, values);
        read.ThrowIfUnknown();
        if (!values.TryGetValue(TermsOption, out string? terms)) throw new ArgumentException($"The method \"{Name}\" needs \"{TermsOption}\", for instance lowrank:share=0.2+scalar:bits=2.", nameof(values));
        return new SumOptions(
            [.. terms.Split('+', StringSplitOptions.TrimEntries).Select(CompressionMethods.ParseOptions)],
            read.Int32(OutlierColumnsOption) ?? 0,
            read.FloatType(ColumnTypeOption) ?? ElementType.F16,
            read.Int32(RoundsOption) ?? SumOptions.DefaultRounds);
    }

    /// <inheritdoc/>
    public CompressedWeight Compress(MatrixView<float> weights, MethodOptions options, CompressionContext context, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        var chosen = options as SumOptions ?? throw new ArgumentException($"Options of the sum method are required, not {options.GetType().Name}.", nameof(options));
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        context.Statistics?.ThrowIfUnfit(weights);
        int count = (int)Math.Min(chosen.OutlierColumns, weights.Columns);
        using OutlierSplit split = OutlierSplit.Create(weights, count, context.Statistics, context.Pool);
        using var factorizer = new SumFactorizer(split, chosen, context, progress);
        factorizer.Run(cancellationToken);
        return new SumWeight(factorizer.TakeTerms(), count == 0 ? null : factorizer.Columns(weights));
    }

    /// <inheritdoc/>
    public CompressedWeight Read(StoredWeight stored)
    {
        if (stored.Parameters[TermsOption] is not JsonArray entries) throw stored.Fault(TensorFormatError.Structure, $"parameter \"{TermsOption}\" is not a list");
        if (entries.Count is < 1 or > SumOptions.MaximumTerms) throw stored.Fault(TensorFormatError.Value, $"a sum of {entries.Count} terms; 1 to {SumOptions.MaximumTerms} are possible");
        int count = stored.Int32(ColumnsParameter, 0, stored.InputDimension);
        OutlierColumns? columns = count == 0 ? null : OutlierColumns.Read(stored, this, count, stored.ElementType(ColumnTypeParameter, ElementType.F32, ElementType.F16, ElementType.BF16));
        return new SumWeight([.. entries.Select((entry, index) => ReadTerm(stored, entry, index))], columns);
    }

    private CompressedWeight ReadTerm(StoredWeight stored, JsonNode? entry, int index)
    {
        if (entry is not JsonObject term || term[MethodParameter] is not JsonValue name || !name.TryGetValue(out string? method)
            || term[VersionParameter] is not JsonValue number || !number.TryGetValue(out int version) || term[ParametersParameter] is not JsonObject parameters)
            throw stored.Fault(TensorFormatError.Structure, $"term {index} lacks \"{MethodParameter}\", \"{VersionParameter}\" or \"{ParametersParameter}\"");
        if (method == Name) throw stored.Fault(TensorFormatError.Unsupported, $"term {index} is a sum itself");
        return CompressionMethods.Read(method, version, stored with { Layer = StoredParts.TensorName(stored.Layer, this, SumWeight.TermName(index)), Parameters = parameters });
    }
}
