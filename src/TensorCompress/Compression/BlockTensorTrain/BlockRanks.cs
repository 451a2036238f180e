namespace TensorCompress.Compression.BlockTensorTrain;

/// <summary>The rank of each block, and with it where its vectors lie: on the left in the order (j2, i1, r), on the right in the order (i1, j2, r).</summary>
internal sealed class BlockRanks
{
    private readonly BlockShape _shape;
    private readonly int[] _ranks;
    private readonly int[] _lefts;
    private readonly int[] _rights;
    private readonly int[] _depths;
    private readonly int[] _heights;

    /// <summary>Takes the ranks over.</summary>
    /// <param name="shape">How the matrix is cut.</param>
    /// <param name="ranks">Of block (j2, i1) at <c>j2 n1 + i1</c>, each 0 to the useful rank.</param>
    public BlockRanks(BlockShape shape, int[] ranks)
    {
        (_shape, _ranks) = (shape, ranks);
        _lefts = new int[ranks.Length];
        _rights = new int[ranks.Length];
        _depths = new int[shape.Rows2];
        _heights = new int[shape.Columns1];
        for (int block = 0; block < ranks.Length; block++)
        {
            (int row2, int column1) = Math.DivRem(block, shape.Columns1);
            _lefts[block] = _depths[row2];
            _depths[row2] += ranks[block];
            _heights[column1] += ranks[block];
        }

        int vectors = 0;
        for (int column1 = 0; column1 < shape.Columns1; column1++)
        {
            for (int row2 = 0; row2 < shape.Rows2; row2++)
            {
                _rights[row2 * shape.Columns1 + column1] = vectors;
                vectors = checked(vectors + this[row2, column1]);
            }
        }

        Vectors = vectors;
        Uniform = Array.TrueForAll(ranks, rank => rank == ranks[0]) ? ranks[0] : null;
    }

    /// <summary>All ranks together: pairs of vectors.</summary>
    public int Vectors { get; }

    /// <summary>The rank of all blocks; null where they differ.</summary>
    public int? Uniform { get; }

    /// <summary>The ranks, of block (j2, i1) at <c>j2 n1 + i1</c>.</summary>
    public ReadOnlySpan<int> Values => _ranks;

    /// <summary>Rank of the block (j2, i1).</summary>
    public int this[int row2, int column1] => _ranks[row2 * _shape.Columns1 + column1];

    /// <summary>The same rank for every block.</summary>
    public static BlockRanks Of(BlockShape shape, int rank)
    {
        var ranks = new int[shape.Blocks];
        Array.Fill(ranks, rank);
        return new BlockRanks(shape, ranks);
    }

    /// <summary>Ranks of all blocks of a j2 together.</summary>
    public int Depth(int row2) => _depths[row2];

    /// <summary>Ranks of all blocks of an i1 together.</summary>
    public int Height(int column1) => _heights[column1];

    /// <summary>Where the block's vectors begin among those of its j2.</summary>
    public int LeftStart(int row2, int column1) => _lefts[row2 * _shape.Columns1 + column1];

    /// <summary>Where the block's vectors begin among all, ordered by i1.</summary>
    public int RightStart(int row2, int column1) => _rights[row2 * _shape.Columns1 + column1];
}
