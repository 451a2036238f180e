using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo.Contraction;

/// <summary>
/// A chain of any length read as one of two sites: the cores left of a bond multiplied out to A, those right of it to B. For more than two sites that costs less than one token's
/// chain of all sites, and is the same for all tokens.
/// </summary>
internal sealed class CoreGroups
{
    private readonly SiteFactors _factors;
    private readonly int[] _bonds;
    private readonly int _cut;

    /// <summary>Chooses the bond at which multiplying out and then one token cost least; by the shape alone.</summary>
    public CoreGroups(SiteFactors factors, IReadOnlyList<int> bonds)
    {
        _factors = factors;
        _bonds = [.. bonds];
        // One site: an empty group to its left.
        _cut = factors.Sites == 1 ? 0 : Enumerable.Range(1, factors.Sites - 1).MinBy(Cost);
        Shape = ShapeAt(_cut);
    }

    /// <summary>The two groups as two sites.</summary>
    public TwoSiteShape Shape { get; }

    /// <summary>Multiply-adds of multiplying the groups out; 0 for one and two sites.</summary>
    public double Multiplications => MultiplyingOut(_cut);

    /// <summary>Multiplies the groups out into scratch memory.</summary>
    /// <param name="cores">Decoded cores, [(l, o), (i, r)], one row of memory each.</param>
    /// <param name="first">A, overwritten: <see cref="TwoSiteShape.FirstFloats"/> floats in one row.</param>
    /// <param name="second">B in panels, overwritten: <see cref="TwoSiteShape.PanelFloats"/> floats in one row.</param>
    /// <param name="context">Threads and scratch memory.</param>
    public void MultiplyOut(Func<int, MatrixView<float>> cores, MatrixView<float> first, MatrixView<float> second, ComputeContext context)
    {
        if (_cut == 0) first.Row(0)[0] = 1;
        else AppendSites(cores, first, context);
        using ScratchLease right = context.Rent(1, Shape.SecondElements);
        PrependSites(cores, right.View, context);
        nint elements = (nint)Shape.Outputs2 * Shape.Inputs2;
        for (nint bond = 0; bond < Shape.Bond; bond++) TwoSiteProduct.PackSecond(Shape, bond, Flat(right.View, bond * elements, elements), second);
    }

    /// <summary>[O, I, l] times a core [l, o, i, r] is [(O o), (I i), r], from the first site to the cut.</summary>
    private void AppendSites(Func<int, MatrixView<float>> cores, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease stateLease = context.Rent(1, Shape.FirstElements), productLease = context.Rent(1, Shape.FirstElements);
        MatrixView<float> state = stateLease.View;
        cores(0).CopyTo(Reshape(state, cores(0).Rows, cores(0).Columns));
        nint outputs = _factors.Outputs[0], inputs = _factors.Inputs[0];
        for (int site = 1; site < _cut; site++)
        {
            (nint left, nint o, nint i, nint r) = SiteShape(site);
            MatrixView<float> product = Reshape(productLease.View, outputs * inputs, o * i * r);
            MatrixProduct.Multiply(Reshape(state, outputs * inputs, left), Reshape(cores(site), left, o * i * r), product, pool: context.Pool);
            for (nint row = 0; row < outputs * inputs; row++)
            {
                (nint outer, nint inner) = Math.DivRem(row, inputs);
                for (nint digit = 0; digit < o; digit++)
                    Flat(product, (row * o + digit) * i * r, i * r).CopyTo(Flat(state, ((outer * o + digit) * inputs + inner) * i * r, i * r));
            }

            outputs *= o;
            inputs *= i;
        }

        for (nint row = 0; row < outputs; row++) TwoSiteProduct.PackFirst(Shape, row, Flat(state, row * inputs * Shape.Bond, inputs * Shape.Bond), destination);
    }

    /// <summary>A core [l, o, i, r] times [r, O, I] is [l, (o O), (i I)], from the last site to the cut.</summary>
    private void PrependSites(Func<int, MatrixView<float>> cores, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease productLease = context.Rent(1, Shape.SecondElements);
        int last = _factors.Sites - 1;
        cores(last).CopyTo(Reshape(destination, cores(last).Rows, cores(last).Columns));
        nint outputs = _factors.Outputs[last], inputs = _factors.Inputs[last];
        for (int site = last - 1; site >= _cut; site--)
        {
            (nint left, nint o, nint i, nint r) = SiteShape(site);
            MatrixView<float> product = Reshape(productLease.View, left * o * i, outputs * inputs);
            MatrixProduct.Multiply(Reshape(cores(site), left * o * i, r), Reshape(destination, r, outputs * inputs), product, pool: context.Pool);
            for (nint row = 0; row < left * o * i; row++)
            {
                (nint outer, nint digit) = Math.DivRem(row, i); // outer = (l, o)
                for (nint output = 0; output < outputs; output++)
                    Flat(product, (row * outputs + output) * inputs, inputs).CopyTo(Flat(destination, ((outer * outputs + output) * i + digit) * inputs, inputs));
            }

            outputs *= o;
            inputs *= i;
        }
    }

    private double Cost(int cut)
    {
        TwoSiteShape shape = ShapeAt(cut);
        return MultiplyingOut(cut) + Math.Min(shape.Multiplications(ContractionPath.FromLeft, 1), shape.Multiplications(ContractionPath.FromRight, 1));
    }

    private double MultiplyingOut(int cut)
    {
        double total = 0, size = 1;
        for (int site = 0; site < cut; site++)
        {
            if (site > 0) total += size * _bonds[site] * Digits(site) * _bonds[site + 1];
            size *= Digits(site);
        }

        size = 1;
        for (int site = _factors.Sites - 1; site >= cut; site--)
        {
            if (site < _factors.Sites - 1) total += size * _bonds[site] * Digits(site) * _bonds[site + 1];
            size *= Digits(site);
        }

        return total;
    }

    private TwoSiteShape ShapeAt(int cut)
    {
        static int Product(IEnumerable<int> factors) => factors.Aggregate(1, (product, factor) => product * factor);
        return new(Product(_factors.Outputs.Take(cut)), Product(_factors.Outputs.Skip(cut)), Product(_factors.Inputs.Take(cut)), Product(_factors.Inputs.Skip(cut)), _bonds[cut]);
    }

    private double Digits(int site) => (double)_factors.Outputs[site] * _factors.Inputs[site];

    private (nint Left, nint Outputs, nint Inputs, nint Right) SiteShape(int site) => (_bonds[site], _factors.Outputs[site], _factors.Inputs[site], _bonds[site + 1]);

    private static unsafe Span<float> Flat(MatrixView<float> view, nint start, nint count) => new(view.Pointer + start, (int)count);

    private static MatrixView<float> Reshape(MatrixView<float> view, nint rows, nint columns) => view.Contiguous(rows, columns);
}
