using TensorCompress.Tensors;

namespace TensorCompress.Numerics;

/// <summary><c>A = V diag(w) V^T</c> for a symmetric A of shape [n, n].</summary>
public sealed class SymmetricEigendecomposition : IDisposable
{
    private readonly double[] _values;

    internal SymmetricEigendecomposition(double[] values, Matrix<double> vectorsTransposed)
    {
        _values = values;
        VectorsTransposed = vectorsTransposed;
    }

    /// <summary>Eigenvalues, descending, n of them.</summary>
    public ReadOnlySpan<double> Values => _values;

    /// <summary>V^T, [n, n]: row i is the unit eigenvector of value i.</summary>
    public Matrix<double> VectorsTransposed { get; }

    /// <summary>Frees the vectors.</summary>
    public void Dispose() => VectorsTransposed.Dispose();
}
