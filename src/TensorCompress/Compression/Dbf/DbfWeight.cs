using System.Globalization;
using System.Numerics.Tensors;
using System.Text.Json.Nodes;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Dbf;

/// <summary>A weight matrix as <c>diag(a) A diag(d) B diag(b)</c> with matrices of signs A and B.</summary>
/// <remarks>
/// Stored by middle channel: <c>outer_signs</c> (A transposed, [middle, output]) and <c>inner_signs</c> ([middle, input]) as bytes, rows padded to whole ones, the first column in the most significant
/// bit, 1 for +1; <c>output_scale</c> a, <c>middle_scale</c> d and <c>input_scale</c> b in half precision, all three times a power of two where weights are so small or large that half precision would not hold them.
/// </remarks>
public sealed class DbfWeight : CompressedWeight
{
    internal const string OuterPart = "outer_signs", InnerPart = "inner_signs", OutputPart = "output_scale", MiddlePart = "middle_scale", InputPart = "input_scale", ScaleExponentParameter = "scale_exponent";

    /// <summary>Most of the exponent of scales, either way: the cube of the power is beyond single precision.</summary>
    internal const int MostScaleExponent = 50;

    /// <summary>Scales whose root mean square is beyond two to this, either way, get an exponent.</summary>
    private const int LargeScale = 8;

    private readonly StoredFactor _outputScale, _middleScale, _inputScale;
    private readonly int _scaleExponent;

    internal DbfWeight(SignMatrix outerSigns, SignMatrix innerSigns, StoredFactor outputScale, StoredFactor middleScale, StoredFactor inputScale, int scaleExponent = 0)
        : base(outerSigns.Columns, innerSigns.Columns)
    {
        (OuterSigns, InnerSigns, _outputScale, _middleScale, _inputScale, _scaleExponent) = (outerSigns, innerSigns, outputScale, middleScale, inputScale, scaleExponent);
        Parts =
        [
            Part(OuterPart, outerSigns),
            Part(InnerPart, innerSigns),
            outputScale.Part(OutputPart, [OutputDimension]),
            middleScale.Part(MiddlePart, [MiddleDimension]),
            inputScale.Part(InputPart, [InputDimension]),
        ];
    }

    /// <summary>A by middle channel, [middle, output].</summary>
    public SignMatrix OuterSigns { get; }

    /// <summary>B, [middle, input].</summary>
    public SignMatrix InnerSigns { get; }

    /// <summary>k: columns of A and rows of B.</summary>
    public int MiddleDimension => InnerSigns.Rows;

    /// <summary>a, one for each output.</summary>
    public float[] OutputScale => Values(_outputScale);

    /// <summary>d, one for each middle channel.</summary>
    public float[] MiddleScale => Values(_middleScale);

    /// <summary>b, one for each input.</summary>
    public float[] InputScale => Values(_inputScale);

    /// <inheritdoc/>
    public override ICompressionMethod Method => DbfMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters
    {
        get
        {
            var parameters = new JsonObject { [DbfMethod.MiddleOption] = MiddleDimension };
            if (_scaleExponent != 0) parameters[ScaleExponentParameter] = _scaleExponent;
            return parameters;
        }
    }

    /// <summary>Rounds the scales of a factorisation.</summary>
    /// <param name="factors">Signs, and scales of which each vector has the same root mean square.</param>
    /// <exception cref="ArgumentException">A scale is beyond half precision: a few weights are far larger than the others.</exception>
    internal static DbfWeight Round(DbfIterate factors)
    {
        double even = Math.Sqrt(DoubleVectors.Dot(factors.OutputScale, factors.OutputScale) / factors.OutputScale.Length);
        int exponent = even == 0 ? 0 : Math.ILogB(even);
        if (Math.Abs(exponent) <= LargeScale) exponent = 0;
        return new(factors.Outer, factors.Inner, Round(factors.OutputScale, exponent), Round(factors.MiddleScale, exponent), Round(factors.InputScale, exponent), exponent);
    }

    /// <summary>The same scales with other signs.</summary>
    internal DbfWeight WithSigns(SignMatrix outer, SignMatrix inner) => new(outer, inner, _outputScale.Clone(), _middleScale.Clone(), _inputScale.Clone(), _scaleExponent);

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options) => new DbfLayer(this, options);

    /// <inheritdoc/>
    protected override void WriteDense(MatrixView<float> destination)
    {
        using var outer = new Matrix<float>(MiddleDimension, OutputDimension);
        using var inner = new Matrix<float>(MiddleDimension, InputDimension);
        OuterSigns.Decode(outer.View);
        InnerSigns.Decode(inner.View);
        float[] output = OutputScale, middle = MiddleScale, input = InputScale;
        for (int i = 0; i < middle.Length; i++) TensorPrimitives.Multiply(inner.Row(i), middle[i], inner.Row(i));
        MatrixProduct.Multiply(outer.Transposed, inner, destination);
        for (int i = 0; i < output.Length; i++)
        {
            TensorPrimitives.Multiply(destination.Row(i), output[i], destination.Row(i));
            TensorPrimitives.Multiply(destination.Row(i), input, destination.Row(i));
        }
    }

    /// <inheritdoc/>
    protected override WeightExplanation ExplainMethod() => new(
        [
            new("middle dimension", MiddleDimension.ToString(CultureInfo.InvariantCulture)),
            new("sign bits", string.Create(CultureInfo.InvariantCulture, $"{(double)MiddleDimension * (OutputDimension + InputDimension) / ((double)OutputDimension * InputDimension):F3} per weight")),
        ],
        [new("middle scales", [.. MiddleScale.Select(Math.Abs).Select(value => (double)value).OrderDescending()])]);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _outputScale.Dispose();
            _middleScale.Dispose();
            _inputScale.Dispose();
        }

        base.Dispose(disposing);
    }

    private static StoredFactor Round(double[] scales, int exponent)
    {
        using var values = new Matrix<float>(1, scales.Length, [.. scales.Select(scale => (float)Math.ScaleB(scale, -exponent))]);
        return StoredFactor.Round(values.View, ElementType.F16, "weights");
    }

    private static WeightPart Part(string name, SignMatrix signs) => new(name, ElementType.U8, [signs.Rows, signs.RowBytes], stream => stream.Write(signs.Bytes));

    private float[] Values(StoredFactor scale)
    {
        float[] values = new float[scale.Columns];
        scale.ReadRow(0, values);
        if (_scaleExponent != 0) TensorPrimitives.Multiply(values, MathF.ScaleB(1, _scaleExponent), values);
        return values;
    }
}
