using TensorCompress.Tensors;

namespace TensorCompress.Compression.Sum;

/// <summary>Options of a sum: the terms with their own methods and options, and how many input columns stand beside them exactly.</summary>
public sealed record SumOptions : MethodOptions
{
    /// <summary>Most terms of a sum.</summary>
    public const int MaximumTerms = 4;

    /// <summary>Rounds over the terms where nothing else is said.</summary>
    public const int DefaultRounds = 4;

    /// <summary>Sets the terms.</summary>
    /// <param name="terms">Options of other methods, 1 to 4.</param>
    /// <param name="outlierColumns">Input columns beside the terms, those of the largest second moment times squared norm; more than a matrix has become all of them.</param>
    /// <param name="columnType">Type of those columns: F32, F16 or BF16.</param>
    /// <param name="rounds">Rounds in which each term is fitted to what the others leave, at least 1; they end when nothing is gained any more.</param>
    /// <exception cref="ArgumentException">A term is a sum, there are too many of them, or one without outlier columns; a value is out of its range.</exception>
    public SumOptions(IReadOnlyList<MethodOptions> terms, int outlierColumns = 0, ElementType columnType = ElementType.F16, int rounds = DefaultRounds)
    {
        ArgumentNullException.ThrowIfNull(terms);
        ArgumentOutOfRangeException.ThrowIfNegative(outlierColumns);
        ArgumentOutOfRangeException.ThrowIfLessThan(rounds, 1);
        if (terms.Count is < 1 or > MaximumTerms) throw new ArgumentException($"A sum has 1 to {MaximumTerms} terms, not {terms.Count}.", nameof(terms));
        if (terms.Any(term => term is SumOptions)) throw new ArgumentException("The terms of a sum are no sums: name all terms side by side.", nameof(terms));
        if (terms.Count == 1 && outlierColumns == 0) throw new ArgumentException("One term is no sum without outlier columns beside it.", nameof(terms));
        OptionValues.ThrowIfNoFloatType(columnType, "Columns");
        Terms = [.. terms];
        OutlierColumns = outlierColumns;
        ColumnType = columnType;
        Rounds = rounds;
    }

    /// <summary>Options of the terms.</summary>
    public IReadOnlyList<MethodOptions> Terms { get; }

    /// <summary>Input columns beside the terms.</summary>
    public int OutlierColumns { get; }

    /// <summary>Type of those columns.</summary>
    public ElementType ColumnType { get; }

    /// <summary>Most rounds over the terms.</summary>
    public int Rounds { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => SumMethod.Instance;

    /// <inheritdoc/>
    internal override bool NeedsHeads => Terms.Any(term => term.NeedsHeads);

    /// <inheritdoc/>
    internal override void ThrowIfUnfit(int rows, int columns, AttentionHeads? heads)
    {
        foreach (MethodOptions term in Terms) term.ThrowIfUnfit(rows, columns, heads);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> ToValues() =>
    [
        OptionValues.Pair(SumMethod.TermsOption, string.Join('+', Terms.Select(term => term.ToText()))),
        OptionValues.Pair(SumMethod.OutlierColumnsOption, OutlierColumns),
        OptionValues.Pair(SumMethod.ColumnTypeOption, OptionValues.Name(ColumnType)),
        OptionValues.Pair(SumMethod.RoundsOption, Rounds),
    ];

    /// <summary>Whether terms and numbers are the same.</summary>
    public bool Equals(SumOptions? other) =>
        other is not null && Terms.SequenceEqual(other.Terms) && (OutlierColumns, ColumnType, Rounds) == (other.OutlierColumns, other.ColumnType, other.Rounds);

    /// <inheritdoc/>
    public override int GetHashCode() => Terms.Aggregate(HashCode.Combine(OutlierColumns, ColumnType, Rounds), HashCode.Combine);
}
