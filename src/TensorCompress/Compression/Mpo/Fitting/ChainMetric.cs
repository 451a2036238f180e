using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>The metric of inputs and outputs as Kronecker products over the sites: the likeliest ones. With them the metric of a core is a Kronecker product too, of its own factor and one matrix for each side.</summary>
internal sealed class ChainMetric : IDisposable
{
    private readonly SiteFactors _factors;

    /// <summary>Fits.</summary>
    /// <param name="problem">The split and d.</param>
    /// <param name="metric">H with its ridge, padded.</param>
    public ChainMetric(FitProblem problem, Matrix<double> metric)
    {
        _factors = problem.Factors;
        Inputs = KroneckerMetric.Fit(metric, problem.Factors.Inputs, diagonal: false);
        if (problem.OutputWeights is { } weights) Outputs = OutputMetric.Fit(weights, problem.Factors.Outputs);
    }

    /// <summary>H_1 ... H_L.</summary>
    public Matrix<double>[] Inputs { get; }

    /// <summary>d_1 ... d_L; null where all outputs matter alike.</summary>
    public double[][]? Outputs { get; }

    /// <summary>M[r, r'] = sum over l, l', o, i, i' of A[l, o, i, r] M[l, l'] d_k[o] H_k[i, i'] A[l', o, i', r'], site by site from the left up to a site.</summary>
    public Matrix<double> FromLeft(ChainSweep chain, int site)
    {
        var transfer = new Matrix<double>(1, 1, [1.0]);
        for (int k = 0; k < site; k++)
        {
            using Matrix<double> before = transfer, weighted = Weighted(chain, k);
            nint left = chain.Bonds[k], right = chain.Bonds[k + 1], digits = (nint)_factors.Outputs[k] * _factors.Inputs[k];
            using var half = new Matrix<double>(left, digits * right);
            MatrixProduct.Multiply(before, weighted.As(left, digits * right), half.View);
            transfer = new Matrix<double>(right, right);
            MatrixProduct.Multiply(half.As(left * digits, right).Transposed, chain.Cores[k].As(left * digits, right), transfer.View);
        }

        return transfer;
    }

    /// <summary>The same from the right down to behind a site.</summary>
    public Matrix<double> FromRight(ChainSweep chain, int site)
    {
        var transfer = new Matrix<double>(1, 1, [1.0]);
        for (int k = _factors.Sites - 1; k > site; k--)
        {
            using Matrix<double> after = transfer, weighted = Weighted(chain, k);
            nint left = chain.Bonds[k], right = chain.Bonds[k + 1], digits = (nint)_factors.Outputs[k] * _factors.Inputs[k];
            using var half = new Matrix<double>(left * digits, right);
            MatrixProduct.Multiply(weighted.As(left * digits, right), after, half.View);
            transfer = new Matrix<double>(left, left);
            MatrixProduct.Multiply(half.As(left, digits * right), chain.Cores[k].As(left, digits * right).Transposed, transfer.View);
        }

        return transfer;
    }

    public void Dispose()
    {
        foreach (Matrix<double> factor in Inputs) factor.Dispose();
    }

    private Matrix<double> Weighted(ChainSweep chain, int site)
    {
        Matrix<double> weighted = Whitening.MultiplyInputs(chain.Cores[site], _factors.Inputs[site], Inputs[site]);
        if (Outputs is not null) Whitening.ScaleOutputs(weighted, Outputs[site]);
        return weighted;
    }
}
