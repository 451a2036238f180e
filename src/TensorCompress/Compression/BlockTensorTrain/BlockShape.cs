namespace TensorCompress.Compression.BlockTensorTrain;

/// <summary>
/// How W [m, n] is cut: rows are (j1, j2) with j2 fastest, columns (i1, i2) with i2 fastest. Each pair (j2, i1) has a block over (j1, i2) of low rank:
/// <c>W[(j1 j2), (i1 i2)] = sum_r L[j2, j1, i1, r] R[i1, j2, r, i2]</c>. Monarch matrices are the case of rank 1 everywhere.
/// </summary>
/// <param name="Rows1">j1, the rows of a block.</param>
/// <param name="Rows2">j2.</param>
/// <param name="Columns1">i1.</param>
/// <param name="Columns2">i2, the columns of a block.</param>
internal sealed record BlockShape(int Rows1, int Rows2, int Columns1, int Columns2)
{
    /// <summary>m.</summary>
    public int Rows => Rows1 * Rows2;

    /// <summary>n.</summary>
    public int Columns => Columns1 * Columns2;

    /// <summary>The largest rank that a block can use.</summary>
    public int UsefulRank => Math.Min(Rows1, Columns2);

    /// <summary>m2 n1.</summary>
    public int Blocks => checked(Rows2 * Columns1);

    /// <summary>Parameters of one unit of rank of one block: m1 + n2.</summary>
    public int ParametersPerVector => Rows1 + Columns2;

    /// <summary>Blocks as near to square root by square root as the divisors allow.</summary>
    public static BlockShape Balanced(int rows, int columns)
    {
        int rows1 = MiddleDivisor(rows), columns2 = MiddleDivisor(columns);
        return new BlockShape(rows1, rows / rows1, columns / columns2, columns2);
    }

    /// <summary>The divisor nearest to the square root, from above where two are as near.</summary>
    private static int MiddleDivisor(int dimension)
    {
        for (int divisor = (int)Math.Sqrt(dimension); divisor > 0; divisor--)
        {
            if (dimension % divisor == 0) return dimension / divisor;
        }

        return dimension;
    }
}
