using TensorCompress.Compression;
using TensorCompress.Tensors;

namespace TensorCompress.Calibration;

/// <summary>What a pass has seen of the inputs of layers.</summary>
/// <param name="Statistics">Second moments of the inputs x.</param>
/// <param name="Cross">E[p x^T], [partner, input], where tokens had partners p: the dense model's input in the place of x, and behind it what x's residual stream lacks; null otherwise.</param>
internal sealed record InputMoments(LayerStatistics Statistics, Matrix<double>? Cross) : IDisposable
{
    public void Dispose()
    {
        Statistics.Dispose();
        Cross?.Dispose();
    }
}
