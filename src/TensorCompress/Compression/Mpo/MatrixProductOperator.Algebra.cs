using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <content>Sums, products, norms and truncation, all on the cores.</content>
public sealed partial class MatrixProductOperator
{
    /// <summary>The Frobenius norm of W; infinity or 0 where it is beyond the range of a double (<see cref="LogNorm"/> is not).</summary>
    public double Norm() => Math.Pow(2, LogNorm());

    /// <summary>The logarithm to base 2 of the Frobenius norm of W; negative infinity for 0.</summary>
    public double LogNorm()
    {
        using MatrixProductOperator? masked = WithoutPadding();
        var sweep = new ChainSweep(masked ?? this, ComputePool.Shared);
        sweep.ToLeftEnd();
        using MatrixProductOperator form = sweep.ToOperator(0);
        return Math.Log2(form._cores[0].SquaredNorm()) / 2 + form.ScaleExponent;
    }

    /// <summary>The same W with the cores left of a site left-orthogonal and those right of it right-orthogonal. Bonds that carry nothing are cut.</summary>
    /// <param name="center">The site that holds the norm, from 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such site.</exception>
    public MatrixProductOperator Canonical(int center)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(center);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(center, Factors.Sites);
        var sweep = new ChainSweep(this, ComputePool.Shared);
        sweep.ToLeftEnd();
        for (int site = 0; site < center; site++) sweep.MoveRight(site);
        return Keep(sweep.ToOperator(center));
    }

    /// <summary>Truncates the bonds: without padding the error is at most sqrt(L - 1) times the least that these bonds allow.</summary>
    /// <param name="truncation">How far; bytes are counted as F32.</param>
    /// <returns>An operator with its centre at the last site, whose <see cref="DiscardedError"/> is the distance to this one over the norm of this one, with padding at least the distance.</returns>
    /// <exception cref="ArgumentException">The limits do not fit the shape.</exception>
    public MatrixProductOperator Round(MpoTruncation truncation)
    {
        ArgumentNullException.ThrowIfNull(truncation);
        int[] limits = truncation.Limits(Factors, (long)OutputDimension * InputDimension, CoreFormat.F32);
        var sweep = new ChainSweep(this, ComputePool.Shared);
        sweep.ToLeftEnd();
        int start = sweep.Exponent;
        // The norm of W itself: what the padding holds is cut off on the way out. Errors there only make the bound wider.
        double square = HasPadding ? Math.Pow(2, 2 * (LogNorm() - start)) : sweep.SquaredNorm(0);
        for (int site = 0; site < Factors.Sites - 1; site++)
        {
            // In the units of this step; what earlier bonds left of their allowance serves the later ones.
            double allowed = truncation.Tolerance is double tolerance ? Math.ScaleB(tolerance * tolerance * square, 2 * (start - sweep.Exponent)) - sweep.DiscardedSquares : 0;
            int limit = limits[site + 1], left = Factors.Sites - 1 - site;
            sweep.MoveRight(site, values => truncation.ChooseRank(values, limit, allowed / left));
        }

        MatrixProductOperator rounded = sweep.ToOperator(Factors.Sites - 1);
        rounded.DiscardedError = sweep.DiscardedSquares == 0 ? 0 : Math.Sqrt(Math.ScaleB(sweep.DiscardedSquares, 2 * (sweep.Exponent - start)) / square);
        return rounded;
    }

    /// <summary>The singular values of every inner bond, descending: the square root of the entanglement spectrum. Their squares sum to the squared norm of the (padded) W.</summary>
    /// <returns>L - 1 arrays.</returns>
    public double[][] BondSpectra()
    {
        var sweep = new ChainSweep(this, ComputePool.Shared);
        sweep.ToLeftEnd();
        var spectra = new double[Factors.Sites - 1][];
        for (int site = 0; site < spectra.Length; site++)
        {
            int exponent = sweep.Exponent;
            spectra[site] = [.. sweep.MoveRight(site).Select(value => Math.ScaleB(value, exponent))];
        }

        sweep.ToOperator(null).Dispose();
        return spectra;
    }

    /// <summary>The same W with the singular values of each bond spread over its two neighbours as square roots and all cores of about the same norm; e is 0.</summary>
    public MatrixProductOperator Balanced()
    {
        var sweep = new ChainSweep(this, ComputePool.Shared);
        sweep.ToLeftEnd();
        var roots = new double[Factors.Sites + 1][];
        roots[0] = roots[^1] = [1];
        for (int site = 0; site < Factors.Sites - 1; site++) roots[site + 1] = [.. sweep.MoveRight(site).Select(Math.Sqrt)];
        return Keep(sweep.ToBalanced(roots));
    }

    /// <summary>The same W with left-orthogonal cores but for the last, all of about the same norm; e is 0.</summary>
    internal MatrixProductOperator Leveled()
    {
        var sweep = new ChainSweep(this, ComputePool.Shared);
        sweep.ToLeftEnd();
        for (int site = 0; site < Factors.Sites - 1; site++) sweep.MoveRight(site);
        return Keep(sweep.ToBalanced(roots: null));
    }

    /// <summary>factor W.</summary>
    /// <param name="factor">Finite.</param>
    /// <exception cref="ArgumentOutOfRangeException">NaN or infinite.</exception>
    public MatrixProductOperator Scale(double factor)
    {
        if (!double.IsFinite(factor)) throw new ArgumentOutOfRangeException(nameof(factor), factor, "A factor is finite.");
        Matrix<double>[] cores = [.. _cores.Select(CoreViews.Copy)];
        int exponent = factor == 0 ? 0 : Math.ILogB(factor);
        for (nint row = 0; row < cores[0].Rows; row++) DoubleVectors.Scale(Math.ScaleB(factor, -exponent), cores[0].Row(row));
        return Keep(new MatrixProductOperator(OutputDimension, InputDimension, Factors, [.. _bonds], cores, ScaleExponent + exponent));
    }

    /// <summary>W + V. The bonds add; <see cref="Round"/> cuts them.</summary>
    /// <param name="other">V, of the same dimensions and factors.</param>
    /// <exception cref="ArgumentException">Dimensions or factors are others.</exception>
    public MatrixProductOperator Add(MatrixProductOperator other)
    {
        ThrowIfOtherShape(other);
        int sites = Factors.Sites;
        using MatrixProductOperator a = Normalized(), b = other.Normalized();
        int exponent = Math.Max(a.ScaleExponent, b.ScaleExponent);
        int[] bonds = [1, .. Enumerable.Range(1, sites - 1).Select(k => _bonds[k] + other._bonds[k]), 1];
        var cores = new Matrix<double>[sites];
        for (int site = 0; site < sites; site++)
        {
            (int left, int outputs, int inputs, int right) = (bonds[site], Factors.Outputs[site], Factors.Inputs[site], bonds[site + 1]);
            cores[site] = new Matrix<double>((nint)left * outputs, (nint)inputs * right);
            a.PlaceBlock(cores[site], site, 0, 0, right, site == 0 ? Math.ScaleB(1, a.ScaleExponent - exponent) : 1);
            b.PlaceBlock(cores[site], site, left - b._bonds[site], right - b._bonds[site + 1], right, site == 0 ? Math.ScaleB(1, b.ScaleExponent - exponent) : 1);
        }

        return new MatrixProductOperator(OutputDimension, InputDimension, Factors, bonds, cores, exponent);
    }

    /// <summary>W - V. The bonds add.</summary>
    /// <inheritdoc cref="Add"/>
    public MatrixProductOperator Subtract(MatrixProductOperator other)
    {
        ArgumentNullException.ThrowIfNull(other);
        using MatrixProductOperator negative = other.Scale(-1);
        return Add(negative);
    }

    /// <summary>The sum of the products of corresponding elements of W and V, tr(W^T V).</summary>
    /// <param name="other">V, of the same dimensions and factors.</param>
    /// <exception cref="ArgumentException">Dimensions or factors are others.</exception>
    public double InnerProduct(MatrixProductOperator other)
    {
        ThrowIfOtherShape(other);
        using MatrixProductOperator? masked = WithoutPadding(); // one side without padding is enough
        MatrixProductOperator first = masked ?? this;
        Matrix<double> environment = new(1, 1, [1.0]);
        int exponent = first.ScaleExponent + other.ScaleExponent;
        for (int site = 0; site < Factors.Sites; site++)
        {
            (int left, int outputs, int inputs, int right) = first.Shape(site);
            int otherLeft = other._bonds[site], otherRight = other._bonds[site + 1], digits = outputs * inputs;
            // E'[r, r'] = sum over l, l', o, i of A[l, o, i, r] E[l, l'] B[l', o, i, r'].
            using var half = new Matrix<double>(otherLeft, (nint)digits * right);
            using (environment) MatrixProduct.Multiply(environment.Transposed, first._cores[site].As(left, (nint)digits * right), half.View);
            environment = new Matrix<double>(right, otherRight);
            MatrixProduct.Multiply(half.As((nint)otherLeft * digits, right).Transposed, other._cores[site].As((nint)otherLeft * digits, otherRight), environment.View);
            exponent += environment.Normalize();
        }

        using (environment) return Math.ScaleB(environment[0, 0], exponent);
    }

    /// <summary>The product of matrices W V. The bonds multiply.</summary>
    /// <param name="other">V; its rows are the columns of W, with the same factors.</param>
    /// <exception cref="ArgumentException">The dimensions or factors between the two are not the same.</exception>
    public MatrixProductOperator Multiply(MatrixProductOperator other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (InputDimension != other.OutputDimension || !Factors.Inputs.SequenceEqual(other.Factors.Outputs))
            throw new ArgumentException($"A matrix with {InputDimension} columns ({string.Join('.', Factors.Inputs)}) cannot be multiplied by one with {other.OutputDimension} rows ({string.Join('.', other.Factors.Outputs)}).", nameof(other));
        using MatrixProductOperator? masked = InputDimension == Factors.InputDimension ? null : WithoutPadding();
        using MatrixProductOperator a = (masked ?? this).Normalized(), b = other.Normalized();
        var factors = new SiteFactors(Factors.Outputs, other.Factors.Inputs);
        Matrix<double>[] cores = [.. Enumerable.Range(0, factors.Sites).Select(site => MultiplyCores(a, b, site))];
        int[] bonds = [.. a._bonds.Zip(b._bonds, (left, right) => checked(left * right))];
        return new MatrixProductOperator(OutputDimension, other.InputDimension, factors, bonds, cores, a.ScaleExponent + b.ScaleExponent);
    }

    /// <summary>W^T.</summary>
    public MatrixProductOperator Transpose()
    {
        var cores = new Matrix<double>[Factors.Sites];
        for (int site = 0; site < cores.Length; site++)
        {
            (int left, int outputs, int inputs, int right) = Shape(site);
            cores[site] = new Matrix<double>((nint)left * inputs, (nint)outputs * right);
            for (int l = 0; l < left; l++)
            {
                for (int o = 0; o < outputs; o++)
                {
                    for (int i = 0; i < inputs; i++)
                        _cores[site].Row(l * outputs + o).Slice(i * right, right).CopyTo(cores[site].Row(l * inputs + i)[(o * right)..]);
                }
            }
        }

        return Keep(new MatrixProductOperator(InputDimension, OutputDimension, new SiteFactors(Factors.Inputs, Factors.Outputs), [.. _bonds], cores, ScaleExponent) { OrthogonalityCenter = OrthogonalityCenter });
    }

    /// <summary>The sum over the inner digit: C[(l l'), o, i, (r r')] = sum over j of A[l, o, j, r] B[l', j, i, r'].</summary>
    private static Matrix<double> MultiplyCores(MatrixProductOperator a, MatrixProductOperator b, int site)
    {
        (int left, int outputs, int inner, int right) = a.Shape(site);
        (int otherLeft, _, int inputs, int otherRight) = b.Shape(site);
        var core = new Matrix<double>((nint)left * otherLeft * outputs, (nint)inputs * right * otherRight);
        for (int row = 0; row < left * outputs; row++)
        {
            (int l, int o) = Math.DivRem(row, outputs);
            ReadOnlySpan<double> first = a._cores[site].Row(row);
            for (int otherRow = 0; otherRow < otherLeft * inner; otherRow++)
            {
                (int other, int j) = Math.DivRem(otherRow, inner);
                ReadOnlySpan<double> second = b._cores[site].Row(otherRow);
                Span<double> result = core.Row(((nint)l * otherLeft + other) * outputs + o);
                for (int i = 0; i < inputs; i++)
                {
                    for (int r = 0; r < right; r++)
                        DoubleVectors.AddScaled(first[j * right + r], second.Slice(i * otherRight, otherRight), result.Slice((i * right + r) * otherRight, otherRight));
                }
            }
        }

        return core;
    }

    /// <summary>Writes factor times a core of this operator into a larger core, from the given bond indexes on.</summary>
    private void PlaceBlock(Matrix<double> core, int site, int left, int right, int rightBond, double factor)
    {
        (int ownLeft, int outputs, int inputs, int ownRight) = Shape(site);
        for (int row = 0; row < ownLeft * outputs; row++)
        {
            ReadOnlySpan<double> source = _cores[site].Row(row);
            Span<double> destination = core.Row((nint)left * outputs + row);
            for (int i = 0; i < inputs; i++)
                DoubleVectors.AddScaled(factor, source.Slice(i * ownRight, ownRight), destination.Slice(i * rightBond + right, ownRight));
        }
    }

    /// <summary>A copy whose cores have magnitudes about 1.</summary>
    private MatrixProductOperator Normalized()
    {
        Matrix<double>[] cores = [.. _cores.Select(CoreViews.Copy)];
        return new MatrixProductOperator(OutputDimension, InputDimension, Factors, [.. _bonds], cores, ScaleExponent + cores.Sum(core => core.Normalize()));
    }

    /// <summary>Gives another form of W (or of W^T, or a multiple) what is known of its errors.</summary>
    private MatrixProductOperator Keep(MatrixProductOperator same)
    {
        same.RelativeError = RelativeError;
        same.DiscardedError = DiscardedError;
        return same;
    }

    private void ThrowIfOtherShape(MatrixProductOperator other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (OutputDimension != other.OutputDimension || InputDimension != other.InputDimension || !Factors.Equals(other.Factors))
            throw new ArgumentException($"The operators are {OutputDimension} x {InputDimension} ({Factors}) and {other.OutputDimension} x {other.InputDimension} ({other.Factors}).", nameof(other));
    }
}
