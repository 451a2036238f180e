using TensorCompress.Tensors;

namespace TensorCompress.Numerics.Eigen;

/// <summary>Eigenvalues of a symmetric tridiagonal matrix by the implicit QL iteration with Wilkinson's shift (Dubrulle, Martin and Wilkinson, Numer. Math. 12, 1968).</summary>
internal static class TridiagonalQl
{
    /// <summary>Sweeps per eigenvalue; two are usual.</summary>
    public const int MaxSweeps = 60;

    private const double Epsilon = 1.0 / (1L << 53);

    /// <summary>Runs the iteration.</summary>
    /// <param name="diagonal">n; becomes the eigenvalues, in no order.</param>
    /// <param name="offDiagonal">n - 1 and one more that is not read; overwritten.</param>
    /// <param name="vectors">[n, any] or null: the rotations are applied to its rows, so that a unit matrix becomes the eigenvectors as rows.</param>
    /// <param name="maxSweeps">Sweeps per eigenvalue before giving up.</param>
    /// <returns>Whether it converged.</returns>
    public static bool Diagonalize(Span<double> diagonal, Span<double> offDiagonal, MatrixView<double>? vectors, int maxSweeps = MaxSweeps)
    {
        double negligible = Negligible(diagonal, offDiagonal);
        for (int first = 0; first < diagonal.Length; first++)
        {
            for (int sweep = 0; ; sweep++)
            {
                int last = EndOfBlock(diagonal, offDiagonal, first, negligible);
                if (last == first) break;
                if (sweep == maxSweeps) return false;
                Sweep(diagonal, offDiagonal, first, last, vectors);
            }
        }

        return true;
    }

    /// <summary>
    /// What is rounding beside the largest element. Compared with neighbours alone, elements that are themselves rounding (of a matrix of low rank) would be iterated on
    /// without end.
    /// </summary>
    private static double Negligible(ReadOnlySpan<double> d, ReadOnlySpan<double> e)
    {
        double largest = 0;
        for (int i = 0; i < d.Length; i++) largest = Math.Max(largest, Math.Max(Math.Abs(d[i]), i < d.Length - 1 ? Math.Abs(e[i]) : 0));
        return Epsilon / 8 * largest;
    }

    /// <summary>The first index from which the next off-diagonal element is rounding.</summary>
    private static int EndOfBlock(ReadOnlySpan<double> d, ReadOnlySpan<double> e, int first, double negligible)
    {
        int last = first;
        while (last < d.Length - 1 && Math.Abs(e[last]) > Epsilon * (Math.Abs(d[last]) + Math.Abs(d[last + 1])) + negligible) last++;
        return last;
    }

    private static void Sweep(Span<double> d, Span<double> e, int first, int last, MatrixView<double>? vectors)
    {
        double shift = (d[first + 1] - d[first]) / (2 * e[first]);
        double bulge = d[last] - d[first] + e[first] / (shift + Math.CopySign(Norm(shift, 1), shift));
        double sine = 1, cosine = 1, moved = 0;
        for (int i = last - 1; i >= first; i--)
        {
            double f = sine * e[i], b = cosine * e[i], norm = Norm(f, bulge);
            e[i + 1] = norm;
            if (norm == 0)
            {
                // The matrix has fallen apart here: the rest of the sweep has nothing to chase.
                d[i + 1] -= moved;
                e[last] = 0;
                return;
            }

            sine = f / norm;
            cosine = bulge / norm;
            double g = d[i + 1] - moved, r = (d[i] - g) * sine + 2 * cosine * b;
            moved = sine * r;
            d[i + 1] = g + moved;
            bulge = cosine * r - b;
            if (vectors is { } rows) DoubleVectors.Rotate(rows.Row(i), rows.Row(i + 1), new PlaneRotation(cosine, -sine, sine, cosine));
        }

        d[first] -= moved;
        e[first] = bulge;
        e[last] = 0;
    }

    private static double Norm(double x, double y)
    {
        double square = x * x + y * y;
        return square is > 1e-280 and < 1e280 ? Math.Sqrt(square) : double.Hypot(x, y);
    }
}
