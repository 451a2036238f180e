using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// Inputs in coordinates in which they are nearly white: <c>S = S_1 (x) ... (x) S_L</c>, S_k the square root of a factor of the Kronecker fit of H. W becomes W S, H becomes S^-1 H S^-1, and
/// S_k^-1 goes into core k on the way back, so that bonds stay as they are. Where outputs do not matter alike, rows are scaled by the roots of the likeliest Kronecker product for d in the same way.
/// </summary>
internal sealed class Whitening : IDisposable
{
    /// <summary>Eigenvalues below this share of the largest are raised to it.</summary>
    private const double Floor = 1e-12;

    /// <summary>Elements that are turned and multiplied at a time.</summary>
    private const nint MiddleElements = 1 << 20;

    private readonly FitProblem _problem;
    private readonly (Matrix<double> Root, Matrix<double> Inverse)[] _roots;
    private readonly double[][]? _outputs;

    /// <summary>Fits S.</summary>
    /// <param name="problem">W and its split.</param>
    /// <param name="metric">H with its ridge, padded.</param>
    /// <param name="diagonal">Whether S is diagonal.</param>
    public Whitening(FitProblem problem, Matrix<double> metric, bool diagonal)
    {
        _problem = problem;
        Matrix<double>[] kronecker = KroneckerMetric.Fit(metric, problem.Factors.Inputs, diagonal);
        _roots = [.. kronecker.Select(factor => SquareRoot(factor, problem.Pool))];
        foreach (Matrix<double> factor in kronecker) factor.Dispose();
        IsExact = !diagonal && problem.Factors.Inputs.Count(size => size > 1) < 2;
        if (problem.OutputWeights is not { } weights) return;
        _outputs = [.. OutputMetric.Fit(weights, problem.Factors.Outputs).Select(factor => factor.Select(Math.Sqrt).ToArray())];
        IsExact &= problem.Factors.Outputs.Count(size => size > 1) < 2;
        RemainingWeights = [.. weights.Zip(OutputMetric.Product(_outputs), (weight, root) => weight / (root * root))];
    }

    /// <summary>Whether S S = H, and nothing remains of d: one site has all inputs, and where d is known one has all outputs.</summary>
    public bool IsExact { get; }

    /// <summary>What remains of d for each row once rows are scaled; null where all outputs matter alike.</summary>
    public double[]? RemainingWeights { get; }

    /// <summary>W S, its rows scaled.</summary>
    public Matrix<double> Weights()
    {
        Matrix<double> weights = _problem.PaddedWeights();
        double[] scales = _outputs is null ? [] : OutputMetric.Product(_outputs);
        for (int row = 0; row < scales.Length; row++) DoubleVectors.Scale(scales[row], weights.Row(row));
        for (int site = 0; site < _roots.Length; site++)
        {
            using Matrix<double> before = weights;
            weights = MultiplyDigit(before, site, _roots[site].Root);
        }

        return weights;
    }

    /// <summary>S^-1 H S^-1.</summary>
    public Matrix<double> Metric(Matrix<double> metric)
    {
        Matrix<double> result = metric.Copy();
        for (int side = 0; side < 2; side++)
        {
            for (int site = 0; site < _roots.Length; site++)
            {
                using Matrix<double> before = result;
                result = MultiplyDigit(before, site, _roots[site].Inverse);
            }

            // (H S^-1)^T = S^-1 H: its columns are multiplied in the second round.
            using Matrix<double> half = result;
            result = MatrixCopy.Transpose(half.View);
        }

        return result;
    }

    /// <summary>W S as [o_1 i_1, o_2 i_2 ... o_L i_L].</summary>
    public Matrix<double> Unfold()
    {
        using Matrix<double> weights = Weights();
        return _problem.Unfolding.Unfold(weights.View, _problem.Pool);
    }

    /// <summary>TT-SVD of W S: the best start there is without the rest of H, exact for two sites where H is such a product.</summary>
    public MatrixProductOperator Decompose(MpoTruncation truncation, int[] limits, CancellationToken cancellationToken) => TensorTrainSvd.Decompose(
        _problem.Rows, _problem.Columns, _problem.Factors, Unfold(), truncation, limits, _problem.Pool, progress: null, cancellationToken);

    /// <summary>An operator for W from one for W S.</summary>
    public MatrixProductOperator Restore(MatrixProductOperator whitened)
    {
        Matrix<double>[] cores = [.. whitened.Cores.Select((core, site) => MultiplyInputs(core, _problem.Factors.Inputs[site], _roots[site].Inverse, _problem.Pool))];
        for (int site = 0; site < (_outputs?.Length ?? 0); site++) ScaleOutputs(cores[site], [.. _outputs![site].Select(root => 1 / root)]);
        return new MatrixProductOperator(_problem.Rows, _problem.Columns, _problem.Factors, [.. whitened.BondDimensions], cores, whitened.ScaleExponent);
    }

    public void Dispose()
    {
        foreach ((Matrix<double> root, Matrix<double> inverse) in _roots)
        {
            root.Dispose();
            inverse.Dispose();
        }
    }

    /// <summary>A core [(l, o), (i, r)] with its input digit multiplied by a symmetric matrix.</summary>
    public static Matrix<double> MultiplyInputs(Matrix<double> core, int inputs, Matrix<double> matrix, ComputePool? pool = null) =>
        MultiplyMiddle(core, inputs, core.Columns / inputs, matrix, pool);

    /// <summary>A core [(l, o), (i, r)] with its output digit scaled.</summary>
    public static void ScaleOutputs(Matrix<double> core, double[] scales)
    {
        for (int row = 0; row < core.Rows; row++) DoubleVectors.Scale(scales[row % scales.Length], core.Row(row));
    }

    /// <summary>S and S^-1 with S S = H_k, symmetric.</summary>
    public static (Matrix<double> Root, Matrix<double> Inverse) SquareRoot(Matrix<double> factor, ComputePool pool)
    {
        using SymmetricEigendecomposition eigen = SymmetricEigen.Decompose(factor.View, pool);
        double floor = Math.Max(eigen.Values[0] * Floor, double.Epsilon);
        double[] roots = [.. eigen.Values.ToArray().Select(value => Math.Sqrt(Math.Max(value, floor)))];
        return (Combine(eigen, value => roots[value], pool), Combine(eigen, value => 1 / roots[value], pool));
    }

    /// <summary>sum of f_k v_k v_k^T.</summary>
    private static Matrix<double> Combine(SymmetricEigendecomposition eigen, Func<int, double> factor, ComputePool pool)
    {
        using Matrix<double> scaled = eigen.VectorsTransposed.Copy();
        for (int k = 0; k < scaled.Rows; k++) DoubleVectors.Scale(factor(k), scaled.Row(k));
        var sum = new Matrix<double>(scaled.Columns, scaled.Columns);
        MatrixProduct.Multiply(scaled.Transposed, eigen.VectorsTransposed, sum.View, pool: pool);
        return sum;
    }

    /// <summary>A matrix with digit k of its columns multiplied by a symmetric matrix.</summary>
    private Matrix<double> MultiplyDigit(Matrix<double> matrix, int site, Matrix<double> factor)
    {
        IReadOnlyList<int> inputs = _problem.Factors.Inputs;
        nint size = inputs[site], after = 1;
        for (int k = site + 1; k < inputs.Count; k++) after *= inputs[k];
        if (size == 1)
        {
            Matrix<double> scaled = matrix.Copy();
            for (nint row = 0; row < scaled.Rows; row++) DoubleVectors.Scale(factor[0, 0], scaled.Row(row));
            return scaled;
        }

        return MultiplyMiddle(matrix, size, after, factor, _problem.Pool);
    }

    /// <summary>[b, i, a] with i multiplied by a symmetric matrix. Where a is short, as in unbalanced splits, sums of rows of a would take many times as long as a product of matrices.</summary>
    private static Matrix<double> MultiplyMiddle(Matrix<double> matrix, nint size, nint after, Matrix<double> factor, ComputePool? pool)
    {
        var result = new Matrix<double>(matrix.Rows, matrix.Columns);
        nint blocks = matrix.Rows * matrix.Columns / (size * after);
        if (after == 1)
        {
            MatrixProduct.Multiply(matrix.As(blocks, size), factor, result.As(blocks, size), pool: pool);
            return result;
        }

        MatrixView<double> source = matrix.As(blocks * size, after), destination = result.As(blocks * size, after);
        nint chunk = Math.Clamp(MiddleElements / (size * after), 1, blocks);
        using Matrix<double> turned = new(chunk * after, size), product = new(chunk * after, size);
        for (nint first = 0; first < blocks; first += chunk)
        {
            nint count = Math.Min(chunk, blocks - first);
            for (nint block = 0; block < count; block++) MatrixCopy.Transpose(source.RowRange((first + block) * size, size), turned.RowRange(block * after, after));
            MatrixProduct.Multiply(turned.RowRange(0, count * after), factor, product.RowRange(0, count * after), pool: pool);
            for (nint block = 0; block < count; block++) MatrixCopy.Transpose(product.RowRange(block * after, after), destination.RowRange((first + block) * size, size));
        }

        return result;
    }
}
