using TensorCompress.Tensors;

namespace TensorCompress.Layers;

/// <summary>Normalisation of each token's activations.</summary>
public abstract class NormLayer
{
    /// <summary>Normalises every row of the input into the destination of the same shape (in place is allowed).</summary>
    public void Forward(MatrixView<float> input, MatrixView<float> destination)
    {
        for (nint row = 0; row < input.Rows; row++) Normalize(input.Row(row), destination.Row(row));
    }

    /// <summary>Normalises one vector.</summary>
    protected abstract void Normalize(ReadOnlySpan<float> input, Span<float> destination);
}

/// <summary><c>y = x / sqrt(mean(x^2) + epsilon) * gain</c> (Zhang and Sennrich 2019).</summary>
/// <param name="gain">One factor per channel.</param>
/// <param name="epsilon">Added to the mean square.</param>
public sealed class RmsNorm(float[] gain, float epsilon) : NormLayer
{
    /// <inheritdoc/>
    protected override void Normalize(ReadOnlySpan<float> input, Span<float> destination) => Kernels.Normalization.RootMeanSquare(input, gain, epsilon, destination);
}

/// <summary><c>y = (x - mean) / sqrt(variance + epsilon) * gain + bias</c> (Ba, Kiros and Hinton 2016).</summary>
/// <param name="gain">One factor per channel.</param>
/// <param name="bias">One summand per channel, or empty for none.</param>
/// <param name="epsilon">Added to the variance.</param>
public sealed class LayerNorm(float[] gain, float[] bias, float epsilon) : NormLayer
{
    /// <inheritdoc/>
    protected override void Normalize(ReadOnlySpan<float> input, Span<float> destination) => Kernels.Normalization.Layer(input, gain, bias, epsilon, destination);
}
