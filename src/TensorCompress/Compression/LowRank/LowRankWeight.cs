using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.LowRank;

/// <summary>A weight matrix as a product of two narrow ones, W = U V.</summary>
/// <remarks>Stored as <c>outer</c> [output, rank] and <c>inner</c> [rank, input].</remarks>
public sealed class LowRankWeight : CompressedWeight
{
    internal const string OuterPart = "outer", InnerPart = "inner";

    private readonly StoredFactor _outer;
    private readonly StoredFactor _inner;

    internal LowRankWeight(StoredFactor outer, StoredFactor inner)
        : base(outer.Rows, inner.Columns)
    {
        _outer = outer;
        _inner = inner;
        Parts = [outer.Part(OuterPart), inner.Part(InnerPart)];
    }

    /// <summary>Columns of U and rows of V.</summary>
    public int Rank => _inner.Rows;

    /// <summary>Type of the factors.</summary>
    public ElementType Type => _inner.Type;

    /// <inheritdoc/>
    public override ICompressionMethod Method => LowRankMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters => new() { [LowRankMethod.RankOption] = Rank, [LowRankMethod.FactorsOption] = Type.Name() };

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options) => new LowRankLayer(_outer.Clone(), _inner.Clone());

    /// <inheritdoc/>
    protected override void WriteDense(MatrixView<float> destination)
    {
        using Matrix<float> outer = _outer.ToMatrix(), inner = _inner.ToMatrix();
        MatrixProduct.Multiply(outer, inner, destination);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _outer.Dispose();
            _inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
