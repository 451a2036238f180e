using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics.SingularValues;

/// <summary>
/// Makes the rows of a matrix orthogonal by eigenvectors of its Gram matrix, level by level. The Gram matrix squares the condition, so one level is believed only for
/// values within a factor of its largest; what is smaller is projected off the rows found so far, and has a Gram matrix of its own. So every level works on numbers of
/// its own size, and the result is as accurate as a bidiagonalisation, while all the work is products and <see cref="SymmetricEigen"/>.
/// </summary>
/// <remarks>
/// With eigenvectors V^T of W W^T, rows V^T W have inner products of about eps s_1^2. Divided by s_i s_j, at least 1 / span^2 of s_1^2, they are orthogonal
/// to eps span^2; one step of Newton and Schulz makes that rounding and moves a row by at most eps span s_1, which is the residual. Matrices of floats need neither the
/// step nor short levels: with a span of 512 their vectors are orthogonal to 1e-9.
/// </remarks>
internal static class GramRotation
{
    private const double Epsilon = 1.0 / (1L << 53);

    /// <summary>Finds the largest values of W = R^T diag(s) Q.</summary>
    /// <param name="rows">W, [k, l] with k &lt;= l, of largest magnitude about 1; its first rows become Q with orthonormal rows.</param>
    /// <param name="rotation">[k, k], overwritten; its first rows become those of R.</param>
    /// <param name="wanted">How many, at most k.</param>
    /// <param name="toDouble">Whether vectors are wanted to rounding in double; if not, far beyond rounding in single precision.</param>
    /// <param name="pool">Threads.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <returns>s, as many as wanted, descending but for rounding.</returns>
    /// <exception cref="ArithmeticException">An eigenvalue iteration did not converge.</exception>
    public static double[] Orthogonalize(Matrix<double> rows, Matrix<double> rotation, int wanted, bool toDouble, ComputePool pool, CancellationToken cancellationToken)
    {
        int size = (int)rows.Rows;
        double span = toDouble ? 32 : 512;
        for (int i = 0; i < size; i++)
        {
            rotation.Row(i).Clear();
            rotation[i, i] = 1;
        }

        double[] values = new double[wanted];
        int done = 0;
        while (done < wanted)
        {
            MatrixView<double> rest = rows.RowRange(done, size - done);
            using Matrix<double> gram = TypedProduct.Gram<double>(rest, pool);
            double norm = Norm(gram);
            // What remains is the rounding of what was found (or zero): any rows that complete the basis do.
            if (norm <= Epsilon * size * (done == 0 ? 0 : values[0])) break;
            using SymmetricEigendecomposition eigen = SymmetricEigen.Decompose(gram.View, pool, cancellationToken);
            int level = CountWithin(eigen.Values, span), kept = Math.Min(level, wanted - done), needed = done + level >= wanted ? kept : size - done;
            MatrixView<double> vectors = eigen.VectorsTransposed.RowRange(0, needed);
            Replace(rest, vectors, pool);
            if (done == 0) vectors.CopyTo(rotation.RowRange(0, needed));
            else Replace(rotation.RowRange(done, size - done), vectors, pool);
            Normalize(rows.RowRange(done, kept), values.AsSpan(done, kept));
            if (done > 0) Project(rows.RowRange(done, kept), rows.RowRange(0, done), pool);
            if (toDouble) Polish(rows.RowRange(done, kept), pool);
            done += kept;
            if (done < wanted) Project(rows.RowRange(done, size - done), rows.RowRange(0, done), pool);
        }

        if (done < wanted) Complete(rows, done, wanted, pool);
        return values;
    }

    private static double Norm(Matrix<double> gram)
    {
        double trace = 0;
        for (nint i = 0; i < gram.Rows; i++) trace += gram[i, i];
        return Math.Sqrt(trace);
    }

    private static int CountWithin(ReadOnlySpan<double> squares, double span)
    {
        int count = 1;
        while (count < squares.Length && squares[count] * span * span >= squares[0]) count++;
        return count;
    }

    /// <summary>The first rows become mixing times all rows.</summary>
    private static void Replace(MatrixView<double> rows, MatrixView<double> mixing, ComputePool pool)
    {
        using var product = new Matrix<double>(mixing.Rows, rows.Columns);
        MatrixProduct.Multiply(mixing, rows, product.View, pool: pool);
        product.View.CopyTo(rows.RowRange(0, mixing.Rows));
    }

    private static void Normalize(MatrixView<double> rows, Span<double> norms)
    {
        for (int i = 0; i < norms.Length; i++)
        {
            norms[i] = Math.Sqrt(DoubleVectors.Dot(rows.Row(i), rows.Row(i)));
            DoubleVectors.Scale(1 / norms[i], rows.Row(i));
        }
    }

    /// <summary>Makes unit rows that are orthogonal but for a little orthogonal to rounding: Q = (3 I - Q Q^T) Q / 2.</summary>
    private static void Polish(MatrixView<double> rows, ComputePool pool)
    {
        using Matrix<double> step = TypedProduct.Gram<double>(rows, pool);
        for (int i = 0; i < step.Rows; i++)
        {
            DoubleVectors.Scale(-0.5, step.Row(i));
            step[i, i] += 1.5;
        }

        Replace(rows, step.View, pool);
    }

    /// <summary>Takes off the parts along an orthonormal basis.</summary>
    private static void Project(MatrixView<double> rows, MatrixView<double> basis, ComputePool pool)
    {
        using var parts = new Matrix<double>(rows.Rows, basis.Rows);
        MatrixProduct.Multiply(rows, basis.Transposed, parts.View, pool: pool);
        MatrixProduct.Multiply(parts, basis, rows, alpha: -1, beta: 1, pool);
    }

    private static void Complete(Matrix<double> rows, int done, int wanted, ComputePool pool)
    {
        var found = new Matrix<double>(done, rows.Columns);
        rows.RowRange(0, done).CopyTo(found.View);
        using HouseholderQr basis = HouseholderQr.FactorizeRows(found, pool);
        using Matrix<double> complement = basis.ComplementTransposed(wanted - done);
        complement.View.CopyTo(rows.RowRange(done, wanted - done));
    }
}
