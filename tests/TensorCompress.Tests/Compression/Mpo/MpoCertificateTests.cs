using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Mpo;

/// <summary>What operators say of their errors is true, or they say nothing.</summary>
public sealed class MpoCertificateTests
{
    [Fact]
    public void Other_forms_keep_both_errors()
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 60);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(4) with { Sites = 3 });
        Assert.True(chain.RelativeError > 0.1);
        using MatrixProductOperator form = chain.Canonical(1), scaled = chain.Scale(-3), turned = chain.Transpose(), balanced = form.Balanced();
        foreach (MatrixProductOperator same in new[] { form, scaled, turned, balanced })
        {
            Assert.Equal(chain.RelativeError, same.RelativeError);
            Assert.Equal(chain.DiscardedError, same.DiscardedError);
        }
    }

    [Fact]
    public void What_is_not_known_is_null_and_not_zero()
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 60);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(4));
        using MatrixProductOperator given = MatrixProductOperator.FromCores(48, 60, chain.Factors, chain.BondDimensions, chain.Cores);
        using MatrixProductOperator sum = chain.Add(chain), turned = chain.Transpose(), product = chain.Multiply(turned), rounded = chain.Round(MpoTruncation.ToChi(2));
        foreach (MatrixProductOperator unknown in new[] { given, sum, product })
        {
            Assert.Null(unknown.RelativeError);
            Assert.Null(unknown.DiscardedError);
        }

        Assert.Null(rounded.RelativeError);
        Assert.True(rounded.DiscardedError > 0);
        using MpoWeight weight = MpoWeight.FromOperator(rounded, CoreFormat.F32);
        using var layer = weight.CreateLayer(MpoPlan.ByShape);
        Assert.Contains(weight.Explain().Facts, fact => fact is { Key: "relative error", Value: "not known" });
        Assert.Contains(layer.Explain().Facts, fact => fact is { Key: "relative error", Value: "not known" });
    }

    [Theory]
    [InlineData(MpoFit.Diagonal, 2)]
    [InlineData(MpoFit.Kronecker, 2)]
    [InlineData(MpoFit.Alternating, 2)]
    [InlineData(MpoFit.Alternating, 3)]
    public void Fits_of_the_outputs_have_no_singular_values_to_say_their_error(MpoFit fit, int sites)
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 60);
        using LayerStatistics statistics = FitLosses.Activations(60, 200);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(6) with { Fit = fit, Sites = sites }, statistics: statistics);
        Assert.Null(chain.DiscardedError);
        Assert.True(chain.RelativeError > 0.1);
    }

    [Theory]
    [InlineData(CoreFormat.F32)]
    [InlineData(CoreFormat.BF16)]
    [InlineData(CoreFormat.Int4)]
    public void Stored_operators_say_a_measured_error_or_none(CoreFormat format)
    {
        using Matrix<float> weights = RandomMatrices.Trained(48, 60);
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, MpoOptions.WithChi(8));
        using MpoWeight stored = MpoWeight.FromOperator(chain, format), made = (MpoWeight)MpoMethod.Instance.Compress(weights.View, MpoOptions.WithChi(8) with { Cores = format }, new CompressionContext());
        using Matrix<float> dense = made.ToDense();
        Assert.Equal(MatrixOracle.RelativeError(weights.View, dense.View), made.Operator.RelativeError!.Value, 1e-6);
        Assert.Equal(format == CoreFormat.F32 ? chain.RelativeError : null, stored.Operator.RelativeError);
        Assert.Null(stored.Operator.DiscardedError);
        Assert.Equal(format == CoreFormat.F32, stored.Parameters.ContainsKey("relative_error"));
        using MemoryTensors tensors = MemoryTensors.Of("layer", stored);
        using var read = (MpoWeight)MpoMethod.Instance.Read(new StoredWeight("layer", 48, 60, stored.Parameters, tensors));
        Assert.Equal(stored.Operator.RelativeError, read.Operator.RelativeError);
    }
}
