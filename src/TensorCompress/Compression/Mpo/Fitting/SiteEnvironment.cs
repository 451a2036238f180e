using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>All cores of a chain but one, multiplied out to the left and to the right of it.</summary>
internal sealed class SiteEnvironment : IDisposable
{
    private readonly SiteFactors _factors;
    private readonly ComputePool _pool;

    /// <summary>Multiplies the other cores out.</summary>
    public SiteEnvironment(SiteFactors factors, ChainSweep chain, int site, ComputePool pool)
    {
        _factors = factors;
        _pool = pool;
        Site = site;
        LeftBond = chain.Bonds[site];
        RightBond = chain.Bonds[site + 1];
        Left = new Matrix<double>(1, 1, [1.0]);
        for (int k = 0; k < site; k++)
        {
            using Matrix<double> before = Left;
            nint digits = (nint)factors.Outputs[k] * factors.Inputs[k];
            using var product = new Matrix<double>(before.Rows, digits * chain.Bonds[k + 1]);
            MatrixProduct.Multiply(before, chain.Cores[k].As(chain.Bonds[k], product.Columns), product.View, pool: pool);
            Left = product.Copy(before.Rows * digits, chain.Bonds[k + 1]);
        }

        Right = new Matrix<double>(1, 1, [1.0]);
        for (int k = factors.Sites - 1; k > site; k--)
        {
            using Matrix<double> after = Right;
            nint digits = (nint)factors.Outputs[k] * factors.Inputs[k];
            using var product = new Matrix<double>(chain.Bonds[k] * digits, after.Columns);
            MatrixProduct.Multiply(chain.Cores[k].As(product.Rows, chain.Bonds[k + 1]), after, product.View, pool: pool);
            Right = product.Copy(chain.Bonds[k], digits * after.Columns);
        }
    }

    public int Site { get; }

    public int LeftBond { get; }

    public int RightBond { get; }

    public int Outputs => _factors.Outputs[Site];

    public int Inputs => _factors.Inputs[Site];

    /// <summary>Unknowns of one output digit of the core: (i, l, r).</summary>
    public int Unknowns => checked(Inputs * LeftBond * RightBond);

    /// <summary>[(o_1 i_1 ... to the left), l].</summary>
    public Matrix<double> Left { get; }

    /// <summary>[r, (o i ... to the right)].</summary>
    public Matrix<double> Right { get; }

    /// <summary>Contracts a tensor (o_1 i_1 ... o_L i_L) with the other cores: what a core is to be paired with.</summary>
    /// <returns>[(i, l, r), o].</returns>
    public Matrix<double> Project(Matrix<double> tensor)
    {
        nint middle = (nint)Outputs * Inputs;
        using var left = new Matrix<double>(LeftBond, middle * Right.Columns);
        MatrixProduct.Multiply(Left.Transposed, tensor.As(Left.Rows, left.Columns), left.View, pool: _pool);
        using var both = new Matrix<double>(LeftBond * middle, RightBond);
        MatrixProduct.Multiply(left.As(both.Rows, Right.Columns), Right.Transposed, both.View, pool: _pool);
        return ToUnknowns(both.As((nint)LeftBond * Outputs, (nint)Inputs * RightBond));
    }

    /// <summary>The whole chain with a core in this place.</summary>
    /// <param name="unknowns">[(i, l, r), o].</param>
    /// <param name="tensor">(o_1 i_1 ... o_L i_L), overwritten.</param>
    public void Expand(MatrixView<double> unknowns, Matrix<double> tensor)
    {
        using Matrix<double> core = ToCore(unknowns);
        nint middle = (nint)Outputs * Inputs;
        using var left = new Matrix<double>(Left.Rows, middle * RightBond);
        MatrixProduct.Multiply(Left, core.As(LeftBond, left.Columns), left.View, pool: _pool);
        MatrixProduct.Multiply(left.As(Left.Rows * middle, RightBond), Right, tensor.As(Left.Rows * middle, Right.Columns), pool: _pool);
    }

    /// <summary>A core [(l, o), (i, r)] as unknowns [(i, l, r), o].</summary>
    public Matrix<double> ToUnknowns(MatrixView<double> core)
    {
        var unknowns = new Matrix<double>(Unknowns, Outputs);
        for (int l = 0; l < LeftBond; l++)
        {
            for (int o = 0; o < Outputs; o++)
            {
                ReadOnlySpan<double> row = core.Row((nint)l * Outputs + o);
                for (int i = 0; i < Inputs; i++)
                {
                    for (int r = 0; r < RightBond; r++) unknowns[((nint)i * LeftBond + l) * RightBond + r, o] = row[i * RightBond + r];
                }
            }
        }

        return unknowns;
    }

    /// <summary>Unknowns [(i, l, r), o] as a core [(l, o), (i, r)].</summary>
    public Matrix<double> ToCore(MatrixView<double> unknowns)
    {
        var core = new Matrix<double>((nint)LeftBond * Outputs, (nint)Inputs * RightBond);
        for (int i = 0; i < Inputs; i++)
        {
            for (int l = 0; l < LeftBond; l++)
            {
                for (int r = 0; r < RightBond; r++)
                {
                    ReadOnlySpan<double> row = unknowns.Row(((nint)i * LeftBond + l) * RightBond + r);
                    for (int o = 0; o < row.Length; o++) core[(nint)l * Outputs + o, (nint)i * RightBond + r] = row[o];
                }
            }
        }

        return core;
    }

    public void Dispose()
    {
        Left.Dispose();
        Right.Dispose();
    }
}
