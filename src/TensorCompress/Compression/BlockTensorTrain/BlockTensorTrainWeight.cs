using System.Buffers.Binary;
using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.BlockTensorTrain;

/// <summary>A weight matrix in blocks of low rank over permuted rows.</summary>
/// <remarks>
/// Stored as <c>left</c>, for each j2 the left vectors of its blocks as columns, [j1, (i1, r)], and <c>right</c>, the right vectors as rows, [(i1, j2, r), i2]; where the ranks of blocks differ,
/// they are stored as <c>ranks</c> [j2, i1].
/// </remarks>
public sealed class BlockTensorTrainWeight : CompressedWeight
{
    internal const string LeftPart = "left", RightPart = "right", RanksPart = "ranks";

    private readonly BlockShape _shape;
    private readonly BlockRanks _ranks;
    private readonly StoredFactor[] _left;
    private readonly StoredFactor _right;

    internal BlockTensorTrainWeight(BlockShape shape, BlockRanks ranks, StoredFactor[] left, StoredFactor right)
        : base(shape.Rows, shape.Columns)
    {
        _shape = shape;
        _ranks = ranks;
        _left = left;
        _right = right;
        var parts = new List<WeightPart> { StoredFactor.Part(LeftPart, LeftShape(shape, ranks), left), right.Part(RightPart, RightShape(shape, ranks)) };
        if (ranks.Uniform is null) parts.Add(new WeightPart(RanksPart, BlockTensorTrainMethod.RankType(shape), [shape.Rows2, shape.Columns1], WriteRanks));
        Parts = parts;
    }

    /// <summary>Rank of each block, of which [j2, i1] is at <c>j2 n1 + i1</c>, where the rows of W are (j1, j2) and its columns (i1, i2), the last fastest.</summary>
    public IReadOnlyList<int> Ranks => [.. _ranks.Values];

    /// <inheritdoc/>
    public override ICompressionMethod Method => BlockTensorTrainMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters
    {
        get
        {
            var parameters = new JsonObject
            {
                [BlockTensorTrainMethod.BlockRowsParameter] = _shape.Rows1,
                [BlockTensorTrainMethod.BlockColumnsParameter] = _shape.Columns2,
            };
            if (_ranks.Uniform is { } rank) parameters[BlockTensorTrainMethod.RankOption] = rank;
            parameters[BlockTensorTrainMethod.FactorsOption] = _right.Type.Name();
            return parameters;
        }
    }

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options) => new BlockTensorTrainLayer(_shape, _ranks, [.. _left.Select(left => left.Clone())], _right.Clone());

    /// <summary>Rounds what a fit has found.</summary>
    /// <exception cref="ArgumentException">A value is beyond the type's range.</exception>
    internal static BlockTensorTrainWeight Round(BlockShape shape, BlockVectors vectors, ElementType type, string parameterName) => new(
        shape, vectors.Ranks, [.. vectors.Left.Select(left => StoredFactor.Round(left.View, type, parameterName))], StoredFactor.Round(vectors.Right.View, type, parameterName));

    /// <summary>Shape of <see cref="LeftPart"/>: one list of numbers where ranks differ.</summary>
    internal static long[] LeftShape(BlockShape shape, BlockRanks ranks) =>
        ranks.Uniform is { } rank ? [shape.Rows2, shape.Rows1, shape.Columns1, rank] : [(long)ranks.Vectors * shape.Rows1];

    /// <summary>Shape of <see cref="RightPart"/>.</summary>
    internal static long[] RightShape(BlockShape shape, BlockRanks ranks) =>
        ranks.Uniform is { } rank ? [shape.Columns1, shape.Rows2, rank, shape.Columns2] : [ranks.Vectors, shape.Columns2];

    /// <inheritdoc/>
    protected override void WriteDense(MatrixView<float> destination)
    {
        using LinearLayer layer = CreateLayer();
        for (int row = 0; row < OutputDimension; row++) layer.DecodeRow(row, destination.Row(row));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (StoredFactor left in _left) left.Dispose();
            _right.Dispose();
        }

        base.Dispose(disposing);
    }

    private void WriteRanks(Stream stream)
    {
        bool isByte = BlockTensorTrainMethod.RankType(_shape) == ElementType.U8;
        Span<byte> word = stackalloc byte[sizeof(int)];
        foreach (int rank in _ranks.Values)
        {
            BinaryPrimitives.WriteInt32LittleEndian(word, rank);
            stream.Write(isByte ? word[..1] : word);
        }
    }
}
