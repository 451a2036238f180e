using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <summary>Where the elements of W go when it is read as a tensor with one index (o_k i_k) for each site: (o_1 i_1 o_2 i_2 ... o_L i_L), row-major, padded with zeros.</summary>
internal sealed class SiteUnfolding
{
    private const int RowsPerRange = 16;

    private readonly SiteFactors _factors;
    private readonly long[] _rowOffsets;
    private readonly long[] _columnOffsets;

    public SiteUnfolding(SiteFactors factors)
    {
        _factors = factors;
        _rowOffsets = Offsets(factors, 0, factors.Sites, output: true);
        _columnOffsets = Offsets(factors, 0, factors.Sites, output: false);
    }

    /// <summary>Columns of the unfolding after the first site, which is [o_1 i_1, rest].</summary>
    private nint Rest => (nint)((long)_factors.OutputDimension * _factors.InputDimension / ((long)_factors.Outputs[0] * _factors.Inputs[0]));

    /// <summary>Columns that lie beside each other in both orders: those of the last site.</summary>
    private int Run => _factors.Inputs[^1];

    /// <summary>W as [o_1 i_1, o_2 i_2 ... o_L i_L].</summary>
    /// <param name="weights">At most as large as the factors say; what is missing is zero.</param>
    /// <param name="pool">Threads.</param>
    public Matrix<T> Unfold<T>(MatrixView<T> weights, ComputePool pool)
        where T : unmanaged
    {
        var unfolded = new Matrix<T>(_factors.Outputs[0] * (nint)_factors.Inputs[0], Rest);
        Unfold(weights, unfolded, pool);
        return unfolded;
    }

    /// <summary>Writes W into an unfolding whose padding is zero already.</summary>
    public unsafe void Unfold<T>(MatrixView<T> weights, Matrix<T> unfolded, ComputePool pool)
        where T : unmanaged => pool.For(weights.Rows, RowsPerRange, (start, end) =>
    {
        for (nint row = start; row < end; row++)
        {
            T* destination = unfolded.Pointer + _rowOffsets[row];
            ReadOnlySpan<T> source = weights.Row(row);
            for (int column = 0; column < source.Length; column += Run)
            {
                int count = Math.Min(Run, source.Length - column);
                source.Slice(column, count).CopyTo(new Span<T>(destination + _columnOffsets[column], count));
            }
        }
    });

    /// <summary>The inverse of <see cref="Unfold{T}(MatrixView{T}, Matrix{T}, ComputePool)"/>: W, with its padding if the destination has room for it.</summary>
    public unsafe void Fold<T>(Matrix<T> unfolded, MatrixView<T> weights, ComputePool pool)
        where T : unmanaged => pool.For(weights.Rows, RowsPerRange, (start, end) =>
    {
        for (nint row = start; row < end; row++)
        {
            T* source = unfolded.Pointer + _rowOffsets[row];
            Span<T> destination = weights.Row(row);
            for (int column = 0; column < destination.Length; column += Run)
            {
                int count = Math.Min(Run, destination.Length - column);
                new ReadOnlySpan<T>(source + _columnOffsets[column], count).CopyTo(destination[column..]);
            }
        }
    });

    /// <summary>For every combination of the output (or input) digits of some sites what it adds to their index (o_k i_k o_(k+1) i_(k+1) ...).</summary>
    public static long[] Offsets(SiteFactors factors, int firstSite, int endSite, bool output)
    {
        long[] offsets = [0];
        long stride = 1;
        for (int site = firstSite; site < endSite; site++) stride *= (long)factors.Outputs[site] * factors.Inputs[site];
        for (int site = firstSite; site < endSite; site++)
        {
            stride /= (long)factors.Outputs[site] * factors.Inputs[site];
            long step = output ? stride * factors.Inputs[site] : stride;
            int digits = output ? factors.Outputs[site] : factors.Inputs[site];
            offsets = [.. offsets.SelectMany(offset => Enumerable.Range(0, digits).Select(digit => offset + digit * step))];
        }

        return offsets;
    }
}
