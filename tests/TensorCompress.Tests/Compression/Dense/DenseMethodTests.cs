using System.Numerics.Tensors;
using TensorCompress.Compression;
using TensorCompress.Compression.Dense;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Dense;

public sealed class DenseMethodTests
{
    [Fact]
    public void Weights_in_32_bits_come_back_bit_for_bit()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(13, 29);
        weights[3, 4] = -0f;
        weights[5, 6] = float.Epsilon;
        using DenseWeight weight = DenseWeight.FromDense(weights.View, ElementType.F32);
        using Matrix<float> dense = weight.ToDense();
        for (nint row = 0; row < 13; row++)
        {
            for (int column = 0; column < 29; column++)
                Assert.Equal(BitConverter.SingleToUInt32Bits(weights[row, column]), BitConverter.SingleToUInt32Bits(dense[row, column]));
        }

        Assert.Equal(32, weight.BitsPerWeight);
    }

    [Theory]
    [InlineData(ElementType.F16, 65519f, 65504f)]
    [InlineData(ElementType.F16, 1e-8f, 0f)]
    [InlineData(ElementType.F16, 1.0004883f, 1f)]
    [InlineData(ElementType.BF16, 1.00390625f, 1f)]
    [InlineData(ElementType.BF16, 1.01171875f, 1.015625f)]
    public void Weights_in_16_bits_are_rounded_to_nearest_even(ElementType type, float value, float expected)
    {
        using LinearLayer layer = DenseLayer.FromDense([value, -value], 1, 2, type);
        var row = new float[2];
        layer.DecodeRow(0, row);
        Assert.Equal([expected, -expected], row);
    }

    [Theory]
    [InlineData(ElementType.F16, 65520f)]
    [InlineData(ElementType.BF16, 3.4e38f)]
    public void Weights_beyond_the_type_are_refused(ElementType type, float value)
    {
        var fault = Assert.Throws<ArgumentException>(() => DenseLayer.FromDense([1, 2, 3, -value], 2, 2, type));
        Assert.Contains("row 1, column 1", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Keeping_the_source_is_the_default()
    {
        Assert.True(new DenseOptions().KeepsSource);
        Assert.False(new DenseOptions(ElementType.F32).KeepsSource);
        Assert.Empty(new DenseOptions().ToValues());
        Assert.Equal(new DenseOptions(), DenseMethod.Instance.ParseOptions(new Dictionary<string, string>()));
    }

    [Fact]
    public void Types_that_do_not_exist_are_refused_by_name()
    {
        Assert.Throws<ArgumentException>(() => new DenseOptions(ElementType.I8));
        var fault = Assert.Throws<ArgumentException>(() => DenseMethod.Instance.ParseOptions(new Dictionary<string, string> { ["type"] = "f8" }));
        Assert.Contains("f32, f16, bf16", fault.Message, StringComparison.Ordinal);
        Assert.Throws<NotSupportedException>(() => CompressionMethods.Get("no such method"));
    }

    [Fact]
    public void Spans_and_tensors_give_the_same_layer()
    {
        float[] values = [.. Enumerable.Range(0, 24).Select(i => (float)i)];
        using LinearLayer fromSpan = DenseLayer.FromDense(values, 4, 6);
        var tensor = new ReadOnlyTensorSpan<float>(values, [6, 4]);
        using LinearLayer fromTensor = DenseLayer.FromDense(tensor), fromPart = DenseLayer.FromDense(tensor.Slice([1..4, 1..3]));
        var row = new float[4];
        fromTensor.DecodeRow(2, row);
        Assert.Equal([8, 9, 10, 11], row);
        Assert.Equal(6, fromSpan.InputDimension);
        var part = new float[2];
        fromPart.DecodeRow(1, part);
        Assert.Equal([9, 10], part);
        Assert.Throws<ArgumentException>(() => DenseLayer.FromDense(values, 4, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => DenseLayer.FromDense([], 0, 5));
        Assert.Throws<ArgumentException>(() => DenseLayer.FromDense(new ReadOnlyTensorSpan<float>(values)));
    }
}
