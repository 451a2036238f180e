using TensorCompress.Tensors;

namespace TensorCompress.Numerics;

/// <summary>
/// <c>A = U diag(s) V^T</c> for A of shape [m, n], with k = min(m, n) triplets, or fewer when truncated. Vectors are kept as rows, so that each is contiguous.
/// </summary>
public sealed class SingularValueDecomposition : IDisposable
{
    private readonly double[] _values;

    internal SingularValueDecomposition(Matrix<double> leftTransposed, double[] values, Matrix<double> rightTransposed)
    {
        LeftTransposed = leftTransposed;
        _values = values;
        RightTransposed = rightTransposed;
    }

    /// <summary>U^T, [k, m]: row i is the left singular vector i; its first component of largest magnitude is positive.</summary>
    public Matrix<double> LeftTransposed { get; }

    /// <summary>Singular values, descending, not negative.</summary>
    public ReadOnlySpan<double> Values => _values;

    /// <summary>V^T, [k, n]: row i is the right singular vector i.</summary>
    public Matrix<double> RightTransposed { get; }

    /// <summary>The number of triplets.</summary>
    public int Rank => _values.Length;

    /// <summary>The algorithm that was taken.</summary>
    public SvdPath Path { get; internal init; }

    /// <summary>
    /// <c>||A - U diag(s) V^T|| / ||A||</c> (Frobenius), 0 for a full decomposition and for A = 0: from the values left out where they are known, else from
    /// <c>||A||^2 - sum s^2</c> and a sampled residual.
    /// </summary>
    public double EstimatedError { get; internal init; }

    /// <summary>Frees the vectors.</summary>
    public void Dispose()
    {
        LeftTransposed.Dispose();
        RightTransposed.Dispose();
    }
}
