using System.Globalization;
using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Tucker;

/// <summary>A weight matrix as a low rank over mixed heads of its inputs.</summary>
/// <remarks>Stored as <c>outer</c> [output, rank], <c>inner</c> [rank, head rank, channels] and <c>mixer</c> [head rank, heads].</remarks>
public sealed class TuckerWeight : CompressedWeight
{
    internal const string OuterPart = "outer", InnerPart = "inner", MixerPart = "mixer";

    private readonly TuckerShape _shape;
    private readonly StoredFactor _outer;
    private readonly StoredFactor _inner;
    private readonly StoredFactor _mixer;

    internal TuckerWeight(TuckerShape shape, StoredFactor outer, StoredFactor inner, StoredFactor mixer)
        : base(shape.Rows, shape.Columns)
    {
        _shape = shape;
        _outer = outer;
        _inner = inner;
        _mixer = mixer;
        Parts = [outer.Part(OuterPart), inner.Part(InnerPart, [shape.Rank, shape.HeadRank, shape.Channels]), mixer.Part(MixerPart)];
    }

    /// <summary>Rank after the heads were mixed.</summary>
    public int Rank => _shape.Rank;

    /// <summary>Heads after mixing.</summary>
    public int HeadRank => _shape.HeadRank;

    /// <inheritdoc/>
    public override ICompressionMethod Method => TuckerMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters => new()
    {
        [TuckerMethod.HeadsParameter] = _shape.Heads,
        [TuckerMethod.HeadRankParameter] = HeadRank,
        [TuckerMethod.RankOption] = Rank,
        [TuckerMethod.FactorsOption] = _outer.Type.Name(),
    };

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options) => new TuckerLayer(_shape, _outer.Clone(), _inner.Clone(), _mixer.ToMatrix());

    /// <summary>Rounds factors to their stored type.</summary>
    /// <exception cref="ArgumentException">A value is beyond the type's range.</exception>
    internal static TuckerWeight Round(TuckerFactors factors, ElementType type) => new(
        factors.Shape, StoredFactor.Round(factors.Outer.View, type, "weights"), StoredFactor.Round(factors.Inner.View, type, "weights"), StoredFactor.Round(factors.Mixer.View, type, "weights"));

    /// <inheritdoc/>
    protected override WeightExplanation ExplainMethod() => new(
        [
            new("heads", $"{HeadRank} of {_shape.Heads}, of {_shape.Channels} channels"),
            new("rank", $"{Rank} of {Math.Min(_shape.Rows, _shape.Columns)}"),
            new("parameters", string.Create(CultureInfo.InvariantCulture, $"{_shape.Parameters:N0}, {_shape.Parameters / ((double)_shape.Rows * _shape.Columns):P1} of {(long)_shape.Rows * _shape.Columns:N0}")),
        ],
        []);

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
            _outer.Dispose();
            _inner.Dispose();
            _mixer.Dispose();
        }

        base.Dispose(disposing);
    }
}
