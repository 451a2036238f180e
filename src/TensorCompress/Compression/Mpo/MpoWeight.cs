using System.Text.Json.Nodes;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>A weight matrix as a matrix product operator.</summary>
/// <remarks>Parts: <c>core0</c>, <c>core1</c>, ... of one float type, each [leftBond, output, input, rightBond].</remarks>
public sealed class MpoWeight : CompressedWeight
{
    internal MpoWeight(MatrixProductOperator chain, ElementType type)
        : base(chain.OutputDimension, chain.InputDimension)
    {
        Operator = chain;
        Type = type;
        Parts = [.. chain.Cores.Select((core, site) => new WeightPart(PartName(site), type, Shape(chain.Factors, chain.BondDimensions, site), stream => Write(core, type, stream)))];
    }

    /// <summary>The cores; they belong to this weight.</summary>
    public MatrixProductOperator Operator { get; }

    /// <summary>Type of the stored cores.</summary>
    public ElementType Type { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => MpoMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters => new()
    {
        [MpoMethod.OutputFactorsParameter] = ToJson(Operator.Factors.Outputs),
        [MpoMethod.InputFactorsParameter] = ToJson(Operator.Factors.Inputs),
        [MpoMethod.BondsParameter] = ToJson(Operator.BondDimensions),
        [MpoMethod.TypeParameter] = Type.Name(),
        [MpoMethod.RelativeErrorParameter] = Operator.RelativeError,
    };

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options) => new MpoLayer(Operator, Type);

    /// <summary>The name of a core's part.</summary>
    internal static string PartName(int site) => $"core{site}";

    /// <summary>[leftBond, output, input, rightBond].</summary>
    internal static long[] Shape(SiteFactors factors, IReadOnlyList<int> bonds, int site) => [bonds[site], factors.Outputs[site], factors.Inputs[site], bonds[site + 1]];

    /// <inheritdoc/>
    protected override void WriteDense(MatrixView<float> destination) => Operator.ToDense(destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) Operator.Dispose();
        base.Dispose(disposing);
    }

    private static void Write(Matrix<float> core, ElementType type, Stream stream)
    {
        byte[] bytes = new byte[core.Columns * type.BitWidth() / 8];
        for (nint row = 0; row < core.Rows; row++)
        {
            ElementConversion.FromSingle(core.Row(row), type, bytes);
            stream.Write(bytes);
        }
    }

    private static JsonArray ToJson(IEnumerable<int> values) => new([.. values.Select(value => (JsonNode)value)]);
}
