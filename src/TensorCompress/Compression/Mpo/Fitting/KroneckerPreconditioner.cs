using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// The inverse of the normal matrix that H would give if it were the Kronecker product of its factors: <c>H_k (x) M_left (x) M_right</c> with M the transfer matrices of
/// the cores on each side. Weights of the outputs enter M as the Kronecker product nearest to them.
/// </summary>
internal sealed class KroneckerPreconditioner : IDisposable
{
    private const double Floor = 1e-10;

    private readonly Matrix<double> _inputs;
    private readonly Matrix<double> _left;
    private readonly Matrix<double> _right;
    private readonly ComputePool _pool;

    public KroneckerPreconditioner(ChainMetric metric, ChainSweep chain, int site, ComputePool pool)
    {
        _pool = pool;
        using Matrix<double> left = metric.FromLeft(chain, site), right = metric.FromRight(chain, site);
        _inputs = Inverse(metric.Inputs[site]);
        _left = Inverse(left);
        _right = Inverse(right);
    }

    /// <summary>Applies the inverse to [(i, l, r), o].</summary>
    public Matrix<double> Solve(Matrix<double> rightSides)
    {
        nint inputs = _inputs.Rows, left = _left.Rows, right = _right.Rows, outputs = rightSides.Columns;
        using var overInputs = new Matrix<double>(inputs, left * right * outputs);
        MatrixProduct.Multiply(_inputs, rightSides.As(inputs, overInputs.Columns), overInputs.View, pool: _pool);
        using var overLeft = new Matrix<double>(inputs * left, right * outputs);
        for (nint i = 0; i < inputs; i++)
            MatrixProduct.Multiply(_left, overInputs.As(inputs * left, right * outputs).RowRange(i * left, left), overLeft.RowRange(i * left, left), pool: _pool);
        var result = new Matrix<double>(rightSides.Rows, outputs);
        MatrixView<double> source = overLeft.As(rightSides.Rows, outputs);
        for (nint row = 0; row < rightSides.Rows; row += right) MatrixProduct.Multiply(_right, source.RowRange(row, right), result.RowRange(row, right), pool: _pool);
        return result;
    }

    public void Dispose()
    {
        _inputs.Dispose();
        _left.Dispose();
        _right.Dispose();
    }

    /// <summary>The inverse of a symmetric positive semi-definite matrix, small eigenvalues raised.</summary>
    private static Matrix<double> Inverse(Matrix<double> matrix)
    {
        using SingularValueDecomposition eigen = Svd.Full(matrix.View);
        double floor = Math.Max(eigen.Values[0] * Floor, double.Epsilon);
        var inverse = new Matrix<double>(matrix.Rows, matrix.Rows);
        for (int k = 0; k < eigen.Rank; k++)
        {
            ReadOnlySpan<double> vector = eigen.LeftTransposed.Row(k);
            double factor = 1 / Math.Max(eigen.Values[k], floor);
            for (int i = 0; i < vector.Length; i++) DoubleVectors.AddScaled(factor * vector[i], vector, inverse.Row(i));
        }

        return inverse;
    }
}
