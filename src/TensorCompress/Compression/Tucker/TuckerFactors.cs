using TensorCompress.Tensors;

namespace TensorCompress.Compression.Tucker;

/// <summary>The three factors before they are rounded.</summary>
/// <param name="Shape">Their shape.</param>
/// <param name="Outer">P, [m, k].</param>
/// <param name="Inner">C, [k, (a, c)]; rows as long as the columns of P.</param>
/// <param name="Mixer">U, [a, h], orthonormal rows.</param>
internal sealed record TuckerFactors(TuckerShape Shape, Matrix<float> Outer, Matrix<float> Inner, Matrix<float> Mixer) : IDisposable
{
    public void Dispose()
    {
        Outer.Dispose();
        Inner.Dispose();
        Mixer.Dispose();
    }
}
