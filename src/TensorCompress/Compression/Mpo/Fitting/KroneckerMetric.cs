using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// <c>H_1 (x) ... (x) H_L</c> for a second moment H over digits (i_1 ... i_L): the maximum-likelihood fit of a Gaussian with such a covariance (the "flip-flop" of matrix-normal
/// distributions). Each factor in turn is H contracted with the inverses of the others, so every direction counts by its own size: least squares would see the few largest alone.
/// </summary>
internal static class KroneckerMetric
{
    private const int Rounds = 6;

    /// <summary>Fits.</summary>
    /// <param name="metric">H, [n, n], positive definite.</param>
    /// <param name="inputs">n_1 ... n_L.</param>
    /// <param name="diagonal">Whether the factors are diagonal.</param>
    /// <returns>H_1 ... H_L; which of them has the scale is not said.</returns>
    public static Matrix<double>[] Fit(Matrix<double> metric, IReadOnlyList<int> inputs, bool diagonal)
    {
        Matrix<double>[] factors = [.. inputs.Select(Identity)], inverses = [.. inputs.Select(Identity)];
        int rounds = inputs.Count(size => size > 1) > 1 ? Rounds : 1;
        for (int round = 0; round < rounds; round++)
        {
            for (int site = 0; site < factors.Length; site++)
            {
                Replace(factors, site, Contract(metric, inverses, inputs, site, diagonal));
                Replace(inverses, site, Inverse(factors[site]));
            }
        }

        foreach (Matrix<double> inverse in inverses) inverse.Dispose();
        return factors;
    }

    /// <summary>H_k[i, i'] = mean over the other digits of H times the inverses of the other factors.</summary>
    private static Matrix<double> Contract(Matrix<double> metric, Matrix<double>[] inverses, IReadOnlyList<int> inputs, int site, bool diagonal)
    {
        int size = inputs[site], before = 1, after = 1;
        for (int k = 0; k < site; k++) before *= inputs[k];
        for (int k = site + 1; k < inputs.Count; k++) after *= inputs[k];
        using Matrix<double> outer = Product(inverses.Take(site)), inner = Product(inverses.Skip(site + 1));
        var result = new Matrix<double>(size, size);
        for (int a = 0; a < before; a++)
        {
            for (int i = 0; i < size; i++)
            {
                for (int b = 0; b < after; b++)
                {
                    ReadOnlySpan<double> row = metric.Row(((nint)a * size + i) * after + b);
                    ReadOnlySpan<double> innerRow = inner.Row(b);
                    for (int other = 0; other < before; other++)
                    {
                        double weight = outer[a, other] / ((double)before * after);
                        if (weight == 0) continue;
                        for (int j = diagonal ? i : 0; j < (diagonal ? i + 1 : size); j++)
                            result[i, j] += weight * DoubleVectors.Dot(row.Slice((other * size + j) * after, after), innerRow);
                    }
                }
            }
        }

        return result;
    }

    private static Matrix<double> Product(IEnumerable<Matrix<double>> factors)
    {
        Matrix<double> product = Identity(1);
        foreach (Matrix<double> factor in factors)
        {
            Matrix<double> left = product;
            product = new Matrix<double>(left.Rows * factor.Rows, left.Columns * factor.Columns);
            for (nint i = 0; i < product.Rows; i++)
            {
                for (nint j = 0; j < product.Columns; j++)
                    product[i, j] = left[i / factor.Rows, j / factor.Columns] * factor[i % factor.Rows, j % factor.Columns];
            }

            left.Dispose();
        }

        return product;
    }

    private static Matrix<double> Inverse(Matrix<double> factor)
    {
        using Cholesky root = Cholesky.FactorizeWithRidge(factor.View);
        Matrix<double> inverse = Identity((int)factor.Rows);
        root.Solve(inverse.View);
        return inverse;
    }

    private static void Replace(Matrix<double>[] factors, int site, Matrix<double> factor)
    {
        factors[site].Dispose();
        factors[site] = factor;
    }

    private static Matrix<double> Identity(int size)
    {
        var identity = new Matrix<double>(size, size);
        for (int i = 0; i < size; i++) identity[i, i] = 1;
        return identity;
    }
}
