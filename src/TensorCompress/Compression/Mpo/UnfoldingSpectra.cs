using TensorCompress.Compression.Mpo.Fitting;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <summary>The singular values of every unfolding of a matrix: what each bond would have to carry, and so the error of every bond dimension at once.</summary>
public static class UnfoldingSpectra
{
    /// <summary>Computes them, by the Gram matrix of each unfolding in double precision.</summary>
    /// <param name="weights">W, [output, input], finite.</param>
    /// <param name="factors">The split over the sites.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at between bonds.</param>
    /// <returns>For each of the L - 1 bonds the values, descending. Two sites: sqrt of the sum of squares from index chi on is the error of bond dimension chi.</returns>
    /// <exception cref="ArgumentException">A weight is NaN or infinite, or the factors do not fit.</exception>
    public static double[][] Of(MatrixView<float> weights, SiteFactors factors, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(factors);
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        factors.ThrowIfUnfit(checked((int)weights.Rows), checked((int)weights.Columns));
        pool ??= ComputePool.Shared;
        using Matrix<double> unfolded = new FitProblem(weights, factors, pool).Unfold();
        return Of(factors, unfolded, pool, cancellationToken);
    }

    /// <summary>The relative error of every bond dimension from 0 on, of one bond.</summary>
    /// <param name="values">What <see cref="Of(MatrixView{float}, SiteFactors, ComputePool?, CancellationToken)"/> gives for the bond.</param>
    public static double[] ErrorCurve(IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        double[] tails = new double[values.Count + 1];
        for (int chi = values.Count - 1; chi >= 0; chi--) tails[chi] = tails[chi + 1] + values[chi] * values[chi];
        double square = tails[0];
        return [.. tails.Select(tail => square == 0 ? 0 : Math.Sqrt(tail / square))];
    }

    internal static double[][] Of(SiteFactors factors, Matrix<double> unfolded, ComputePool pool, CancellationToken cancellationToken = default)
    {
        var spectra = new double[factors.Sites - 1][];
        nint rows = 1, elements = unfolded.Rows * unfolded.Columns;
        for (int bond = 0; bond < spectra.Length; bond++)
        {
            rows *= (nint)factors.Outputs[bond] * factors.Inputs[bond];
            spectra[bond] = Svd.Values(unfolded.As(rows, elements / rows), pool, cancellationToken);
        }

        return spectra;
    }
}
