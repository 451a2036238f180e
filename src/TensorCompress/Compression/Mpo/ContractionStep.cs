using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>One site of the product <c>y = W x</c>: which part of the state it takes in, what it gives out, and its core in the order that the product needs.</summary>
/// <remarks>
/// State before: rows (token, outer, inner), columns (i, b), where i is the site's input digit and b the bond from the site done before. Product: the same rows, columns (o, c)
/// with c the bond to the next site. The product is one matrix product; a deep core lies as [(o, c), (i, b)] for dot products over contiguous rows, a shallow one (few columns
/// of state) as [(i, b), (o, c)] for sums of its rows, because the tree that ends a dot product would cost more than the product.
/// </remarks>
internal sealed class ContractionStep : IDisposable
{
    /// <summary>Depth from which dot products pay: four vectors of sixteen lanes.</summary>
    private const int DeepFrom = 64;

    private readonly ElementType _type;

    // The core in the order of its depth: floats if it is F32, else two bytes an element.
    private readonly Matrix<float>? _floats;
    private readonly Matrix<byte>? _halves;

    /// <summary>Copies a core in the order of the product.</summary>
    /// <param name="chain">The operator.</param>
    /// <param name="site">Which core.</param>
    /// <param name="fromLeft">Whether the sites before it are done when it is contracted; otherwise those after it.</param>
    /// <param name="type">Type that the core is kept as; it holds the core exactly.</param>
    public ContractionStep(MatrixProductOperator chain, int site, bool fromLeft, ElementType type)
    {
        SiteFactors factors = chain.Factors;
        _type = type;
        Outputs = factors.Outputs[site];
        Inputs = factors.Inputs[site];
        int left = chain.BondDimensions[site], right = chain.BondDimensions[site + 1];
        (BondIn, BondOut) = fromLeft ? (left, right) : (right, left);

        int before = site, after = factors.Sites - site - 1;
        Outer = Product(fromLeft ? factors.Outputs.Take(before) : factors.Inputs.Take(before));
        Inner = Product(fromLeft ? factors.Inputs.TakeLast(after) : factors.Outputs.TakeLast(after));

        Matrix<float> ordered = Order(chain.Cores[site], Outputs, left, right, fromLeft);
        if (IsShallow)
        {
            using Matrix<float> deep = ordered;
            ordered = Transpose(deep);
        }

        if (type == ElementType.F32)
        {
            _floats = ordered;
            return;
        }

        using (ordered) _halves = FloatRounding.Round(ordered.View, type, nameof(chain));
    }

    /// <summary>The site's output digits.</summary>
    public int Outputs { get; }

    /// <summary>The site's input digits.</summary>
    public int Inputs { get; }

    /// <summary>The bond to the site done before; 1 for the first step.</summary>
    public int BondIn { get; }

    /// <summary>The bond to the site done next; 1 for the last step.</summary>
    public int BondOut { get; }

    /// <summary>Indexes of the sites to the left in the state: outputs if they are done, inputs otherwise.</summary>
    public int Outer { get; }

    /// <summary>Indexes of the sites to the right in the state.</summary>
    public int Inner { get; }

    /// <summary>State rows of one token.</summary>
    public long StateRows => (long)Outer * Inner;

    /// <summary>Columns of the state.</summary>
    public int Depth => Inputs * BondIn;

    /// <summary>Columns of the product.</summary>
    public int Width => Outputs * BondOut;

    /// <summary>Whether the product sums rows of the core instead of taking dot products with them. By the shape alone.</summary>
    public bool IsShallow => Depth < DeepFrom;

    /// <summary>Bytes that the core takes.</summary>
    public long ByteLength => _floats?.ByteLength ?? _halves!.ByteLength;

    /// <summary>The core if it is kept as floats, else null.</summary>
    public Matrix<float>? Floats => _floats;

    /// <summary>Writes a core that is not kept as floats.</summary>
    /// <param name="destination">[Width, Depth], or [Depth, Width] if shallow; overwritten.</param>
    public void Decode(MatrixView<float> destination)
    {
        for (nint row = 0; row < destination.Rows; row++) ElementConversion.ToSingle(_type, _halves!.Row(row), destination.Row(row));
    }

    /// <summary>The elements (i, b) for an output digit and an index of the bond to the next site.</summary>
    /// <param name="output">The output digit.</param>
    /// <param name="bond">The index c.</param>
    /// <param name="buffer">Depth floats that may be used for the result.</param>
    public ReadOnlySpan<float> Slice(int output, int bond, Span<float> buffer)
    {
        nint row = (nint)output * BondOut + bond;
        if (IsShallow) return Column((int)row, buffer);
        if (_floats is not null) return _floats.Row(row);
        ElementConversion.ToSingle(_type, _halves!.Row(row), buffer);
        return buffer;
    }

    public void Dispose()
    {
        _floats?.Dispose();
        _halves?.Dispose();
    }

    /// <summary>Reorders a core from [(l, o), (i, r)] to [(o, r), (i, l)] (from the left) or [(o, l), (i, r)].</summary>
    private static Matrix<float> Order(Matrix<float> core, int outputs, int left, int right, bool fromLeft)
    {
        int inputs = (int)core.Columns / right;
        (int bondIn, int bondOut) = fromLeft ? (left, right) : (right, left);
        var ordered = new Matrix<float>((nint)outputs * bondOut, (nint)inputs * bondIn);
        for (nint row = 0; row < core.Rows; row++)
        {
            (nint l, nint o) = Math.DivRem(row, outputs);
            ReadOnlySpan<float> source = core.Row(row);
            for (int i = 0; i < inputs; i++)
            {
                if (!fromLeft) source.Slice(i * right, right).CopyTo(ordered.Row(o * left + l)[(i * right)..]);
                else for (int r = 0; r < right; r++) ordered[o * right + r, (nint)i * left + l] = source[i * right + r];
            }
        }

        return ordered;
    }

    private Span<float> Column(int column, Span<float> buffer)
    {
        Span<float> one = stackalloc float[1];
        for (int row = 0; row < Depth; row++)
        {
            if (_floats is null) ElementConversion.ToSingle(_type, _halves!.Row(row).Slice(2 * column, 2), one);
            buffer[row] = _floats is null ? one[0] : _floats[row, column];
        }

        return buffer[..Depth];
    }

    private static Matrix<float> Transpose(Matrix<float> matrix)
    {
        var transposed = new Matrix<float>(matrix.Columns, matrix.Rows);
        for (nint row = 0; row < matrix.Rows; row++)
            for (nint column = 0; column < matrix.Columns; column++) transposed[column, row] = matrix[row, column];
        return transposed;
    }

    private static int Product(IEnumerable<int> factors) => factors.Aggregate(1, (product, factor) => checked(product * factor));
}
