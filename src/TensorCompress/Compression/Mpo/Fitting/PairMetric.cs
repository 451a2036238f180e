using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// The metric of two merged neighbours [(l o i), (o' i' r)] as a product over its two sides, so that its best split at a rank is one singular value decomposition: each side has the transfer matrix
/// of the cores beyond it, the Kronecker factor of its inputs and the weights of its outputs.
/// </summary>
internal sealed class PairMetric : IDisposable
{
    private readonly ComputePool _pool;
    private readonly int[] _inputs;
    private readonly double[]?[] _outputs;
    private readonly int[] _outputSizes;

    // [left bond, inputs, inputs', right bond].
    private readonly (Matrix<double> Root, Matrix<double> Inverse)[] _roots;

    /// <summary>Takes roots.</summary>
    /// <param name="factors">The split.</param>
    /// <param name="metric">The Kronecker products.</param>
    /// <param name="chain">The cores.</param>
    /// <param name="site">The first of the two.</param>
    /// <param name="pool">Threads.</param>
    public PairMetric(SiteFactors factors, ChainMetric metric, ChainSweep chain, int site, ComputePool pool)
    {
        _pool = pool;
        _inputs = [factors.Inputs[site], factors.Inputs[site + 1]];
        _outputSizes = [factors.Outputs[site], factors.Outputs[site + 1]];
        _outputs = [Roots(metric, site), Roots(metric, site + 1)];
        using Matrix<double> left = metric.FromLeft(chain, site), right = metric.FromRight(chain, site + 1);
        _roots = [.. new[] { left, metric.Inputs[site], metric.Inputs[site + 1], right }.Select(factor => Whitening.SquareRoot(factor, pool))];
    }

    /// <summary>The merged core in coordinates in which its metric is nearly 1.</summary>
    public Matrix<double> Whiten(Matrix<double> merged)
    {
        using Matrix<double> left = First(merged, _roots[0].Root, _roots[1].Root, _outputs[0]);
        using Matrix<double> reshaped = left.Copy(merged.Rows, merged.Columns);
        return Second(reshaped, _roots[2].Root, _roots[3].Root, _outputs[1]).Reshape(merged.Rows);
    }

    /// <summary>Both cores, [(l o), (i rank)] and [(rank o'), (i' r)], of the first singular triplets of a whitened core; the values go into the second.</summary>
    public (Matrix<double> First, Matrix<double> Second) Restore(SingularValueDecomposition svd, int rank)
    {
        using Matrix<double> left = ChainSweep.Columns(svd.LeftTransposed, rank), right = new(rank, svd.RightTransposed.Columns);
        svd.RightTransposed.RowRange(0, rank).CopyTo(right.View);
        for (int r = 0; r < rank; r++) DoubleVectors.Scale(svd.Values[r], right.Row(r));
        return (First(left, _roots[0].Inverse, _roots[1].Inverse, Inverse(_outputs[0])), Second(right, _roots[2].Inverse, _roots[3].Inverse, Inverse(_outputs[1])));
    }

    public void Dispose()
    {
        foreach ((Matrix<double> root, Matrix<double> inverse) in _roots)
        {
            root.Dispose();
            inverse.Dispose();
        }
    }

    private static double[]? Roots(ChainMetric metric, int site) => metric.Outputs is { } outputs ? [.. outputs[site].Select(Math.Sqrt)] : null;

    private static double[]? Inverse(double[]? roots) => roots is null ? null : [.. roots.Select(root => 1 / root)];

    /// <summary>[(l o i), any] with l and i multiplied and o scaled, as [(l o), (i any)].</summary>
    private Matrix<double> First(Matrix<double> matrix, Matrix<double> bond, Matrix<double> inputs, double[]? outputs)
    {
        nint size = matrix.Rows * matrix.Columns;
        using var product = new Matrix<double>(bond.Rows, size / bond.Rows);
        MatrixProduct.Multiply(bond, matrix.As(bond.Rows, product.Columns), product.View, pool: _pool);
        using Matrix<double> core = product.Copy(bond.Rows * _outputSizes[0], size / (bond.Rows * _outputSizes[0]));
        Matrix<double> result = Whitening.MultiplyInputs(core, _inputs[0], inputs);
        if (outputs is not null) Whitening.ScaleOutputs(result, outputs);
        return result;
    }

    /// <summary>[any, (o' i' r)] with r and i' multiplied and o' scaled, as [(any o'), (i' r)].</summary>
    private Matrix<double> Second(Matrix<double> matrix, Matrix<double> inputs, Matrix<double> bond, double[]? outputs)
    {
        nint size = matrix.Rows * matrix.Columns;
        using var product = new Matrix<double>(size / bond.Rows, bond.Rows);
        MatrixProduct.Multiply(matrix.As(product.Rows, bond.Rows), bond, product.View, pool: _pool);
        using Matrix<double> core = product.Copy(matrix.Rows * _outputSizes[1], size / (matrix.Rows * _outputSizes[1]));
        Matrix<double> result = Whitening.MultiplyInputs(core, _inputs[1], inputs);
        if (outputs is not null) Whitening.ScaleOutputs(result, outputs);
        return result;
    }
}
