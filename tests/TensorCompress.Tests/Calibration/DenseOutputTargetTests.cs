using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Calibration;

public class DenseOutputTargetTests
{
    private const int Tokens = 4000, Inputs = 6, Outputs = 3;

    [Fact]
    public void Weights_stay_where_the_inputs_are_the_dense_ones()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(Outputs, Inputs, 41), x = RandomMatrices.Gaussian(Tokens, Inputs, 42);
        using var aim = new DenseOutputTarget(Moments(x, x, new Matrix<float>(Tokens, 0)), DenseOutputTarget.DefaultShare, ComputePool.Shared);
        using Matrix<float> target = aim.Fit(weights.View);
        for (int row = 0; row < Outputs; row++)
        {
            for (int i = 0; i < Inputs; i++) Assert.Equal(weights[row, i], target[row, i], 1e-5);
        }
    }

    /// <summary>Inputs that a linear map made of the dense ones, and a residual stream that lacks a linear function of them: both can be taken back whole, so the error falls to the part that is left.</summary>
    [Fact]
    public void Errors_of_earlier_layers_are_taken_back()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(Outputs, Inputs, 43), x = RandomMatrices.Gaussian(Tokens, Inputs, 44), mix = RandomMatrices.Gaussian(Inputs, Inputs, 45), lack = RandomMatrices.Gaussian(Outputs, Inputs, 46);
        using Matrix<float> dense = new(Tokens, Inputs), gap = new(Tokens, Outputs);
        for (int token = 0; token < Tokens; token++)
        {
            for (int i = 0; i < Inputs; i++) dense[token, i] = x[token, i] + 0.3f * Dot(mix.Row(i), x.Row(token));
            for (int i = 0; i < Outputs; i++) gap[token, i] = 0.2f * Dot(lack.Row(i), x.Row(token));
        }

        using var aim = new DenseOutputTarget(Moments(x, dense, gap), DenseOutputTarget.DefaultShare, ComputePool.Shared);
        using Matrix<float> target = aim.Fit(weights.View);
        Assert.InRange(Math.Sqrt(Error(target) / Error(weights)), 0.5, 0.51); // half of the way; the ridge keeps a little

        double Error(Matrix<float> candidate)
        {
            double sum = 0;
            for (int token = 0; token < Tokens; token++)
            {
                for (int row = 0; row < Outputs; row++)
                    sum += Math.Pow(Dot(weights.Row(row), dense.Row(token)) + gap[token, row] - Dot(candidate.Row(row), x.Row(token)), 2);
            }

            return sum;
        }
    }

    /// <summary>A residual stream that lacks what has nothing to do with the inputs: the ridge lets few tokens change the weights less.</summary>
    [Fact]
    public void Few_tokens_change_little()
    {
        const int Few = 12;
        using Matrix<float> weights = RandomMatrices.Gaussian(Outputs, Inputs, 51), x = RandomMatrices.Gaussian(Few, Inputs, 52), noise = RandomMatrices.Gaussian(Few, Outputs, 54);
        Assert.InRange(Change(Few), 0.01, 0.95 * Change(1000 * Few));

        double Change(long tokens)
        {
            InputMoments seen = Moments(x, x, noise), claimed = new(new LayerStatistics(seen.Statistics.Shrunk(0, 0), tokens), seen.Cross);
            using var aim = new DenseOutputTarget(claimed, DenseOutputTarget.DefaultShare, ComputePool.Shared);
            using Matrix<float> target = aim.Fit(weights.View);
            double change = 0;
            for (int row = 0; row < Outputs; row++)
            {
                for (int i = 0; i < Inputs; i++) change += Math.Pow(target[row, i] - weights[row, i], 2);
            }

            return Math.Sqrt(change);
        }
    }

    [Fact]
    public void Moments_without_partners_are_refused()
    {
        using Matrix<float> x = RandomMatrices.Gaussian(Tokens, Inputs, 48);
        using var moments = new InputMoments(LayerStatistics.FromActivations(x.View), null);
        Assert.Throws<ArgumentException>(() => new DenseOutputTarget(moments, 1, ComputePool.Shared));
    }

    private static InputMoments Moments(Matrix<float> x, Matrix<float> dense, Matrix<float> gap)
    {
        using var joined = new Matrix<float>(x.Rows, x.Columns + dense.Columns + gap.Columns);
        x.View.CopyTo(joined.View.ColumnRange(0, x.Columns));
        for (nint token = 0; token < x.Rows; token++)
        {
            for (int i = 0; i < x.Columns; i++) joined[token, x.Columns + i] = dense[token, i] - x[token, i];
        }

        if (gap.Columns > 0) gap.View.CopyTo(joined.View.ColumnRange(x.Columns + dense.Columns, gap.Columns));
        using var accumulator = new SecondMomentAccumulator((int)x.Columns, x.Rows, ComputePool.Shared, (int)(dense.Columns + gap.Columns));
        accumulator.Add(joined.View);
        return accumulator.Finish();
    }

    private static float Dot(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        float sum = 0;
        for (int i = 0; i < left.Length; i++) sum += left[i] * right[i];
        return sum;
    }
}
