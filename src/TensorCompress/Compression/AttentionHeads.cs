namespace TensorCompress.Compression;

/// <summary>The two sides of a matrix W [output, input].</summary>
public enum MatrixSide
{
    /// <summary>Outputs.</summary>
    Rows,

    /// <summary>Inputs.</summary>
    Columns,
}

/// <summary>
/// The attention heads that one side of a matrix is made of, one behind the other and all of one width: the rows of queries, keys and values, also where one matrix holds them all, or the columns of the
/// output projection.
/// </summary>
public sealed record AttentionHeads
{
    /// <summary>Sets side and width.</summary>
    /// <param name="side">Where the heads are.</param>
    /// <param name="dimension">Rows or columns of a head, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The width is less than 1.</exception>
    public AttentionHeads(MatrixSide side, int dimension)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        Side = side;
        Dimension = dimension;
    }

    /// <summary>Where the heads are.</summary>
    public MatrixSide Side { get; }

    /// <summary>Rows or columns of a head.</summary>
    public int Dimension { get; }

    /// <summary>Heads on the same side, of another width if one is given.</summary>
    internal AttentionHeads OfWidth(int? dimension) => dimension is int given ? new AttentionHeads(Side, given) : this;

    /// <summary>Refuses a matrix whose side is not whole heads.</summary>
    /// <exception cref="ArgumentException">It is not; the message says what would do.</exception>
    internal void ThrowIfUnfit(int rows, int columns)
    {
        (int size, string name) = Side == MatrixSide.Rows ? (rows, "rows") : (columns, "columns");
        if (size % Dimension != 0)
            throw new ArgumentException($"Heads of {Dimension} do not divide the {size} {name}: the width of a head is a divisor of {size}; without one it is the model's, and 1 leaves heads out of account.");
    }
}
