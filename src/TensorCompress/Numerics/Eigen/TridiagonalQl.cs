using TensorCompress.Tensors;

namespace TensorCompress.Numerics.Eigen;

/// <summary>Eigenvalues of a symmetric tridiagonal matrix by the implicit QL iteration with Wilkinson's shift (Dubrulle, Martin and Wilkinson, Numer. Math. 12, 1968).</summary>
internal static class TridiagonalQl
{
    /// <summary>Sweeps per eigenvalue; two are usual.</summary>
    public const int MaxSweeps = 60;

    private const double Epsilon = 1.0 / (1L << 53);

    /// <summary>Zero, beside a matrix of norm 1; numbers not much smaller are subnormal.</summary>
    private const double Tiny = 1e-290;

    /// <summary>Runs the iteration.</summary>
    /// <param name="diagonal">n; becomes the eigenvalues, in no order.</param>
    /// <param name="offDiagonal">n - 1 and one more that is not read; overwritten.</param>
    /// <param name="norm">About the largest magnitude in the matrix of which this is a part; what is rounding beside it is zero.</param>
    /// <param name="vectors">[n, any] or null: the rotations are applied to its rows, so that a unit matrix becomes the eigenvectors as rows.</param>
    /// <param name="maxSweeps">Sweeps per eigenvalue before giving up.</param>
    /// <returns>Whether it converged.</returns>
    public static bool Diagonalize(Span<double> diagonal, Span<double> offDiagonal, double norm, MatrixView<double>? vectors, int maxSweeps = MaxSweeps)
    {
        // Compared with neighbours alone, elements that are themselves rounding (of a matrix of low rank) would be iterated on without end.
        double negligible = Epsilon / 8 * norm;
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

    /// <summary>The largest magnitude in a tridiagonal matrix.</summary>
    /// <param name="diagonal">n.</param>
    /// <param name="offDiagonal">n - 1.</param>
    public static double Norm(ReadOnlySpan<double> diagonal, ReadOnlySpan<double> offDiagonal)
    {
        double largest = 0;
        foreach (double value in diagonal) largest = Math.Max(largest, Math.Abs(value));
        foreach (double value in offDiagonal) largest = Math.Max(largest, Math.Abs(value));
        return largest;
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
        double bulge = d[last] - d[first] + e[first] / (shift + Math.CopySign(Length(shift, 1), shift));
        double sine = 1, cosine = 1, moved = 0;
        for (int i = last - 1; i >= first; i--)
        {
            double f = sine * e[i], b = cosine * e[i], norm = Length(f, bulge);
            e[i + 1] = norm;
            if (norm < Tiny)
            {
                // The matrix has fallen apart here, and a rotation made of subnormal numbers would not be orthogonal: the rest of the sweep has nothing to chase.
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

    private static double Length(double x, double y)
    {
        double square = x * x + y * y;
        return square is > 1e-280 and < 1e280 ? Math.Sqrt(square) : double.Hypot(x, y);
    }
}
