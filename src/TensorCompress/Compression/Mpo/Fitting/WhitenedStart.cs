using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// TT-SVD of W S with <c>S = S_1 (x) ... (x) S_L</c>, S_k the square root of a factor of the Kronecker approximation of H; S_k^-1 then goes into core k, so that the bonds stay as
/// they are. Exact in the metric where H is such a product.
/// </summary>
internal static class WhitenedStart
{
    /// <summary>Eigenvalues below this share of the largest are raised to it.</summary>
    private const double Floor = 1e-8;

    /// <summary>Factorises.</summary>
    public static MatrixProductOperator Decompose(
        FitProblem problem, Matrix<double> metric, bool diagonal, MpoTruncation truncation, int[] limits, CancellationToken cancellationToken)
    {
        SiteFactors factors = problem.Factors;
        (Matrix<double> Root, Matrix<double> Inverse)[] roots = Roots(problem, metric, diagonal);
        MatrixProductOperator whitened = TensorTrainSvd.Decompose(
            problem.Rows, problem.Columns, factors, Unfold(problem, roots), truncation, limits, problem.Pool, progress: null, cancellationToken);
        Matrix<double>[] cores = [.. whitened.Cores.Select((core, site) => MultiplyInputs(core, factors.Inputs[site], roots[site].Inverse))];
        int[] bonds = [.. whitened.BondDimensions];
        whitened.Dispose();
        Dispose(roots);
        return new MatrixProductOperator(problem.Rows, problem.Columns, factors, bonds, cores);
    }

    /// <summary>W S as [o_1 i_1, o_2 i_2 ... o_L i_L].</summary>
    public static Matrix<double> Unfold(FitProblem problem, Matrix<double> metric)
    {
        (Matrix<double> Root, Matrix<double> Inverse)[] roots = Roots(problem, metric, diagonal: false);
        Matrix<double> unfolded = Unfold(problem, roots);
        Dispose(roots);
        return unfolded;
    }

    private static Matrix<double> Unfold(FitProblem problem, (Matrix<double> Root, Matrix<double> Inverse)[] roots)
    {
        Matrix<double> weights = problem.PaddedWeights();
        for (int site = 0; site < roots.Length; site++)
        {
            using Matrix<double> before = weights;
            weights = MultiplyDigit(before, problem.Factors.Inputs, site, roots[site].Root, problem);
        }

        using (weights) return problem.Unfolding.Unfold(weights.View, problem.Pool);
    }

    private static (Matrix<double> Root, Matrix<double> Inverse)[] Roots(FitProblem problem, Matrix<double> metric, bool diagonal)
    {
        Matrix<double>[] kronecker = KroneckerMetric.Fit(metric, problem.Factors.Inputs, diagonal);
        (Matrix<double> Root, Matrix<double> Inverse)[] roots = [.. kronecker.Select(SquareRoot)];
        foreach (Matrix<double> factor in kronecker) factor.Dispose();
        return roots;
    }

    private static void Dispose((Matrix<double> Root, Matrix<double> Inverse)[] roots)
    {
        foreach ((Matrix<double> root, Matrix<double> inverse) in roots)
        {
            root.Dispose();
            inverse.Dispose();
        }
    }

    /// <summary>S and S^-1 with S S = H_k, symmetric.</summary>
    private static (Matrix<double> Root, Matrix<double> Inverse) SquareRoot(Matrix<double> factor)
    {
        // Of a symmetric positive semi-definite matrix the singular vectors are the eigenvectors.
        using SingularValueDecomposition eigen = Svd.Full(factor.View);
        int size = eigen.Rank;
        double floor = Math.Max(eigen.Values[0] * Floor, double.Epsilon);
        double[] roots = [.. eigen.Values.ToArray().Select(value => Math.Sqrt(Math.Max(value, floor)))];
        var root = new Matrix<double>(size, size);
        var inverse = new Matrix<double>(size, size);
        for (int k = 0; k < size; k++)
        {
            ReadOnlySpan<double> vector = eigen.LeftTransposed.Row(k);
            for (int i = 0; i < size; i++)
            {
                DoubleVectors.AddScaled(roots[k] * vector[i], vector, root.Row(i));
                DoubleVectors.AddScaled(vector[i] / roots[k], vector, inverse.Row(i));
            }
        }

        return (root, inverse);
    }

    /// <summary>W with digit k of its columns multiplied by a symmetric matrix.</summary>
    private static Matrix<double> MultiplyDigit(Matrix<double> weights, IReadOnlyList<int> inputs, int site, Matrix<double> matrix, FitProblem problem)
    {
        int size = inputs[site], after = 1;
        for (int k = site + 1; k < inputs.Count; k++) after *= inputs[k];
        var result = new Matrix<double>(weights.Rows, weights.Columns);
        problem.Pool.For(weights.Rows, 4, (start, end) =>
        {
            for (nint row = start; row < end; row++)
            {
                ReadOnlySpan<double> source = weights.Row(row);
                Span<double> destination = result.Row(row);
                for (int block = 0; block < source.Length; block += size * after)
                {
                    for (int i = 0; i < size; i++)
                    {
                        if (after == 1)
                        {
                            destination[block + i] = DoubleVectors.Dot(matrix.Row(i), source.Slice(block, size));
                            continue;
                        }

                        Span<double> sum = destination.Slice(block + i * after, after);
                        ReadOnlySpan<double> factors = matrix.Row(i);
                        for (int j = 0; j < size; j++) DoubleVectors.AddScaled(factors[j], source.Slice(block + j * after, after), sum);
                    }
                }
            }
        });
        return result;
    }

    /// <summary>A core [(l, o), (i, r)] with its input digit multiplied by a symmetric matrix.</summary>
    public static Matrix<double> MultiplyInputs(Matrix<double> core, int inputs, Matrix<double> matrix)
    {
        int right = (int)core.Columns / inputs;
        var result = new Matrix<double>(core.Rows, core.Columns);
        for (nint row = 0; row < core.Rows; row++)
        {
            ReadOnlySpan<double> source = core.Row(row);
            for (int i = 0; i < inputs; i++)
            {
                Span<double> sum = result.Row(row).Slice(i * right, right);
                for (int j = 0; j < inputs; j++) DoubleVectors.AddScaled(matrix[i, j], source.Slice(j * right, right), sum);
            }
        }

        return result;
    }
}
