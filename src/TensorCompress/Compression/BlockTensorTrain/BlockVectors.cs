using TensorCompress.Tensors;

namespace TensorCompress.Compression.BlockTensorTrain;

/// <summary>What a fit finds: for each j2 the left vectors of its blocks as columns, [m1, depth], and the right vectors of all blocks as rows, [vectors, n2].</summary>
internal sealed class BlockVectors : IDisposable
{
    /// <summary>Vectors of 0.</summary>
    public BlockVectors(BlockShape shape, BlockRanks ranks)
    {
        Ranks = ranks;
        Left = [.. Enumerable.Range(0, shape.Rows2).Select(row2 => new Matrix<float>(shape.Rows1, ranks.Depth(row2)))];
        Right = new Matrix<float>(ranks.Vectors, shape.Columns2);
    }

    public BlockRanks Ranks { get; }

    public IReadOnlyList<Matrix<float>> Left { get; }

    public Matrix<float> Right { get; }

    public void Dispose()
    {
        foreach (Matrix<float> left in Left) left.Dispose();
        Right.Dispose();
    }
}
