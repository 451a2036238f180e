using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>The freedom of a chain of cores, A_k D and D^-1 A_(k+1) for any invertible D, used so that no core is far larger than the others.</summary>
internal static class CoreGauge
{
    /// <summary>Spreads the singular values of each bond over its two neighbours as square roots.</summary>
    /// <param name="cores">[left o, i right], left-orthogonal, the last with all singular values; changed in place.</param>
    /// <param name="roots">For every bond r_0 ... r_L the square roots of its singular values.</param>
    public static void SpreadValues(Matrix<double>[] cores, double[][] roots)
    {
        for (int site = 0; site < cores.Length; site++)
        {
            double[] left = roots[site], right = roots[site + 1];
            nint siteRows = cores[site].Rows / left.Length;
            for (nint row = 0; row < cores[site].Rows; row++)
            {
                double root = left[row / siteRows];
                Span<double> values = cores[site].Row(row);
                for (int i = 0; i < values.Length; i++) values[i] = root == 0 ? 0 : values[i] / root * right[i % right.Length];
            }
        }
    }

    /// <summary>Evens out the norms by powers of two.</summary>
    /// <param name="cores">Changed in place.</param>
    /// <param name="exponent">A power of two that the cores take in.</param>
    public static void Level(Matrix<double>[] cores, int exponent)
    {
        double[] norms = [.. cores.Select(core => Math.Sqrt(core.SquaredNorm()))];
        if (norms.Contains(0)) return; // W is zero, and so are all cores but perhaps an inner one
        int[] exponents = [.. norms.Select(Math.ILogB)];
        int total = exponents.Sum() + exponent, remainder = total % cores.Length, mean = (total - remainder) / cores.Length;
        for (int site = 0; site < cores.Length; site++)
            cores[site].ScaleByPowerOfTwo(mean - exponents[site] + (site < Math.Abs(remainder) ? Math.Sign(remainder) : 0));
    }
}
