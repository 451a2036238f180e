using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>The freedom of a chain of cores, A_k D and D^-1 A_(k+1) for any invertible D, used so that no core is far larger than the others.</summary>
internal static class CoreGauge
{
    /// <summary>Spreads the singular values of each bond over its two neighbours as square roots and evens out the norms by powers of two.</summary>
    /// <param name="cores">[left o i, right], left-orthogonal, the last with all singular values; changed in place.</param>
    /// <param name="roots">For every bond r_0 ... r_L the square roots of its singular values.</param>
    public static void Balance(Matrix<double>[] cores, double[][] roots)
    {
        for (int site = 0; site < cores.Length; site++)
        {
            double[] left = roots[site], right = roots[site + 1];
            nint siteSize = cores[site].Rows / left.Length;
            for (nint row = 0; row < cores[site].Rows; row++)
            {
                double root = left[row / siteSize];
                Span<double> values = cores[site].Row(row);
                for (int r = 0; r < values.Length; r++) values[r] = root == 0 ? 0 : values[r] / root * right[r];
            }
        }

        double[] norms = [.. cores.Select(Norm)];
        if (norms.Contains(0)) return; // W is zero, and so are all cores but perhaps an inner one
        int[] exponents = [.. norms.Select(Math.ILogB)];
        int remainder = exponents.Sum() % cores.Length, mean = (exponents.Sum() - remainder) / cores.Length;
        for (int site = 0; site < cores.Length; site++)
        {
            int exponent = mean - exponents[site] + (site < Math.Abs(remainder) ? Math.Sign(remainder) : 0);
            for (nint row = 0; row < cores[site].Rows; row++) DoubleVectors.Scale(Math.ScaleB(1, exponent), cores[site].Row(row));
        }
    }

    private static double Norm(Matrix<double> core)
    {
        double square = 0;
        for (nint row = 0; row < core.Rows; row++) square += DoubleVectors.Dot(core.Row(row), core.Row(row));
        return Math.Sqrt(square);
    }
}
