using System.Globalization;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary>A metric <c>Q diag(w) Q^T</c> of inputs, [n, n], with diagonal 1.</summary>
internal sealed class DbfMetric : IDisposable
{
    /// <summary>The least eigenvalue that counts, over the mean of 1.</summary>
    private const double Floor = 1e-4;

    /// <summary>Eigenvalues that are no more than this share of the largest one below zero are there by rounding.</summary>
    private const double RoundingShare = 1e-6;

    private DbfMetric(Matrix<double> moment, Matrix<float> basis, Matrix<float> whitening, double[] values)
    {
        (Moment, Basis, Whitening, Values) = (moment, basis, whitening, values);
        Roots = [.. values.Select(value => (float)Math.Sqrt(value))];
    }

    /// <summary>The metric itself, [n, n].</summary>
    public Matrix<double> Moment { get; }

    /// <summary>Q^T, [n, n].</summary>
    public Matrix<float> Basis { get; }

    /// <summary>diag(sqrt w) Q^T, [n, n].</summary>
    public Matrix<float> Whitening { get; }

    /// <summary>w, descending.</summary>
    public double[] Values { get; }

    /// <summary>sqrt w.</summary>
    public float[] Roots { get; }

    /// <summary>Takes the moment over.</summary>
    /// <exception cref="ArgumentException">The moment is not positive semi-definite.</exception>
    public static DbfMetric Decompose(Matrix<double> moment, ComputePool pool, CancellationToken cancellationToken)
    {
        using SymmetricEigendecomposition eigen = SymmetricEigen.Decompose(moment.View, pool, cancellationToken);
        double[] values = [.. eigen.Values];
        if (values[^1] < -RoundingShare * values[0])
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"The inputs' second moment is not positive semi-definite: shrunk and scaled to a diagonal of 1 it has eigenvalues from {values[^1]:G4} to {values[0]:G4}."), nameof(moment));
        var basis = new Matrix<float>(moment.Rows, moment.Columns);
        var whitening = new Matrix<float>(moment.Rows, moment.Columns);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Math.Max(values[i], Floor);
            ReadOnlySpan<double> vector = eigen.VectorsTransposed.Row(i);
            double root = Math.Sqrt(values[i]);
            for (int j = 0; j < vector.Length; j++) (basis[i, j], whitening[i, j]) = ((float)vector[j], (float)(vector[j] * root));
        }

        return new DbfMetric(moment, basis, whitening, values);
    }

    /// <summary>X Q diag(sqrt w).</summary>
    public Matrix<float> Whiten(MatrixView<float> rows, ComputePool pool)
    {
        var whitened = new Matrix<float>(rows.Rows, rows.Columns);
        MatrixProduct.Multiply(rows, Whitening.Transposed, whitened.View, pool: pool);
        return whitened;
    }

    public void Dispose()
    {
        Moment.Dispose();
        Basis.Dispose();
        Whitening.Dispose();
    }
}
