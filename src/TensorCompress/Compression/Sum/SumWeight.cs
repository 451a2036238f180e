using System.Globalization;
using System.Text.Json.Nodes;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Sum;

/// <summary>A weight matrix as a sum of weights of other methods, and a few columns of its own beside them.</summary>
/// <remarks>
/// The parts of term k are those of its method under <c>termk.&lt;method&gt;.</c>; with columns there are <c>column_values</c> [output, columns] and <c>column_indices</c> I32 [columns], ascending.
/// </remarks>
public sealed class SumWeight : CompressedWeight
{
    private readonly CompressedWeight[] _terms;
    private readonly OutlierColumns? _columns;

    /// <summary>Takes terms and columns over.</summary>
    internal SumWeight(CompressedWeight[] terms, OutlierColumns? columns)
        : base(terms[0].OutputDimension, terms[0].InputDimension)
    {
        _terms = terms;
        _columns = columns;
        IEnumerable<WeightPart> ofTerms = terms.SelectMany((term, index) => term.Parts.Select(part => part with { Name = $"{TermName(index)}.{term.Method.Name}.{part.Name}" }));
        Parts = [.. ofTerms, .. columns?.Parts ?? []];
    }

    /// <summary>The terms; they belong to this weight.</summary>
    public IReadOnlyList<CompressedWeight> Terms => _terms;

    /// <summary>The inputs whose columns stand beside the terms, ascending; may be none.</summary>
    public IReadOnlyList<int> OutlierColumns => _columns?.Indices ?? [];

    /// <inheritdoc/>
    public override ICompressionMethod Method => SumMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters
    {
        get
        {
            var terms = _terms.Select(term => (JsonNode)new JsonObject
            {
                [SumMethod.MethodParameter] = term.Method.Name,
                [SumMethod.VersionParameter] = term.Method.FormatVersion,
                [SumMethod.ParametersParameter] = term.Parameters,
            });
            var parameters = new JsonObject { [SumMethod.TermsOption] = new JsonArray([.. terms]), [SumMethod.ColumnsParameter] = OutlierColumns.Count };
            if (_columns is not null) parameters.Add(SumMethod.ColumnTypeParameter, _columns.Type.Name());
            return parameters;
        }
    }

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options) => new SumLayer([.. _terms.Select(term => term.CreateLayer(options))], _columns?.Clone());

    /// <summary>The name of a term in parts.</summary>
    internal static string TermName(int index) => $"term{index}";

    /// <inheritdoc/>
    protected override WeightExplanation ExplainMethod()
    {
        var facts = new List<KeyValuePair<string, string>>();
        var spectra = new List<WeightSpectrum>();
        for (int index = 0; index < _terms.Length; index++)
        {
            WeightExplanation term = _terms[index].Explain();
            facts.AddRange(term.Facts.Where(fact => fact.Key != "shape").Select(fact => new KeyValuePair<string, string>($"{TermName(index)} {fact.Key}", fact.Value)));
            spectra.AddRange(term.Spectra.Select(spectrum => spectrum with { Name = $"{TermName(index)} {spectrum.Name}" }));
        }

        if (_columns is not null) facts.Add(new("outlier columns", string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", OutlierColumns)} ({_columns.Parts.Sum(part => part.ByteLength):N0} bytes)")));
        return new WeightExplanation(facts, spectra);
    }

    /// <inheritdoc/>
    protected override void WriteDense(MatrixView<float> destination)
    {
        _terms[0].ToDense(destination);
        foreach (CompressedWeight term in _terms.Skip(1))
        {
            using Matrix<float> dense = term.ToDense();
            for (nint row = 0; row < destination.Rows; row++) Elementwise.Add(destination.Row(row), dense.Row(row), destination.Row(row));
        }

        for (int row = 0; row < OutputDimension; row++) _columns?.AddRow(row, destination.Row(row));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (CompressedWeight term in _terms) term.Dispose();
            _columns?.Dispose();
        }

        base.Dispose(disposing);
    }
}
