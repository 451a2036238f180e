namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>The Kronecker product of diagonals over the output digits that is the likeliest for weights d of the outputs, as <see cref="KroneckerMetric"/> for the inputs.</summary>
internal static class OutputMetric
{
    private const int Rounds = 6;

    /// <summary>Fits.</summary>
    /// <param name="weights">d of each output (o_1 ... o_L), above 0.</param>
    /// <param name="outputs">m_1 ... m_L.</param>
    /// <returns>One diagonal for each site.</returns>
    public static double[][] Fit(double[] weights, IReadOnlyList<int> outputs)
    {
        double[][] factors = [.. outputs.Select(size => Enumerable.Repeat(1.0, size).ToArray())];
        for (int round = 0; round < Rounds; round++)
        {
            int after = weights.Length;
            for (int site = 0; site < factors.Length; site++)
            {
                after /= outputs[site];
                double[] product = Product(factors), means = new double[outputs[site]];
                for (int row = 0; row < weights.Length; row++)
                {
                    int digit = row / after % outputs[site];
                    means[digit] += weights[row] / product[row] * factors[site][digit] * outputs[site] / weights.Length;
                }

                factors[site] = means;
            }
        }

        return factors;
    }

    /// <summary>The product of the diagonals, one element for each output.</summary>
    public static double[] Product(double[][] factors)
    {
        double[] product = [1.0];
        foreach (double[] factor in factors) product = [.. product.SelectMany(value => factor.Select(other => value * other))];
        return product;
    }
}
