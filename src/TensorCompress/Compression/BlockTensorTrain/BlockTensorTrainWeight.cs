using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.BlockTensorTrain;

/// <summary>A weight matrix in blocks of low rank over permuted rows.</summary>
/// <remarks>Stored as <c>left</c> [j2, j1, i1, rank] and <c>right</c> [i1, j2, rank, i2].</remarks>
public sealed class BlockTensorTrainWeight : CompressedWeight
{
    internal const string LeftPart = "left", RightPart = "right";

    private readonly BlockShape _shape;
    private readonly StoredFactor _left;
    private readonly StoredFactor _right;

    internal BlockTensorTrainWeight(BlockShape shape, int rank, StoredFactor left, StoredFactor right)
        : base(shape.Rows, shape.Columns)
    {
        _shape = shape;
        Rank = rank;
        _left = left;
        _right = right;
        Parts =
        [
            left.Part(LeftPart, [shape.Rows2, shape.Rows1, shape.Columns1, rank]),
            right.Part(RightPart, [shape.Columns1, shape.Rows2, rank, shape.Columns2]),
        ];
    }

    /// <summary>Rank of each block.</summary>
    public int Rank { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => BlockTensorTrainMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters => new()
    {
        [BlockTensorTrainMethod.BlockRowsParameter] = _shape.Rows1,
        [BlockTensorTrainMethod.BlockColumnsParameter] = _shape.Columns2,
        [BlockTensorTrainMethod.RankOption] = Rank,
        [BlockTensorTrainMethod.FactorsOption] = _left.Type.Name(),
    };

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options) => new BlockTensorTrainLayer(_shape, Rank, _left.Clone(), _right.Clone());

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
            _left.Dispose();
            _right.Dispose();
        }

        base.Dispose(disposing);
    }
}
