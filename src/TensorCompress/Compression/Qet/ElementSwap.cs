using TensorCompress.Kernels;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// Swap layers (Wang et al., arXiv 2407.03637): each pair of neighbours a, b of a row becomes (min, max), all minima move to the left half, all maxima to the right half, and the next layer does the
/// same within each half. A bit per pair, 1 where a &lt; b, undoes it to the bit: values are exchanged, never computed, so ties and zeros of either sign come back as they were.
/// </summary>
/// <remarks>
/// A row of D values has <c>layers * D / 2</c> bits, layer by layer, within a layer from left to right. A bit is the sign of the pair's Haar detail: with s = a + b, d = |a - b| and u = +-1,
/// <c>p a + q b = (p + q) s / 2 + u (q - p) d / 2</c>.
/// </remarks>
internal static class ElementSwap
{
    /// <summary>Rows whose bits fill whole bytes, whatever their length: ranges of these never share a byte.</summary>
    private const int ByteRows = 8;

    /// <summary>Bits of a row.</summary>
    public static long BitsPerRow(nint columns, int layers) => (long)columns / 2 * layers;

    /// <summary>Applies the layers to every row of a matrix; gives the bits, row after row.</summary>
    /// <param name="rows">Finite values; the columns divide by 2^layers.</param>
    /// <param name="layers">0 or more.</param>
    /// <param name="pool">Threads.</param>
    public static byte[] Split(MatrixView<float> rows, int layers, ComputePool pool)
    {
        long bitsPerRow = BitsPerRow(rows.Columns, layers);
        byte[] bits = new byte[BitStream.Padded(checked(bitsPerRow * rows.Rows)) / 8];
        if (layers == 0) return bits;
        pool.For(rows.Rows, ByteRows, (start, end) =>
        {
            float[] scratch = new float[rows.Columns];
            for (nint row = start; row < end; row++) Split(rows.Row(row), layers, scratch, bits, row * bitsPerRow);
        });
        return bits;
    }

    /// <summary>Applies the layers to a row.</summary>
    /// <param name="row">In place.</param>
    /// <param name="layers">0 or more.</param>
    /// <param name="scratch">As long as the row.</param>
    /// <param name="bits">Zero where the row's bits go.</param>
    /// <param name="firstBit">Where they go.</param>
    public static void Split(Span<float> row, int layers, Span<float> scratch, Span<byte> bits, long firstBit)
    {
        scratch = scratch[..row.Length];
        for (int layer = 0; layer < layers; layer++)
        {
            int half = row.Length >> (layer + 1);
            for (int start = 0; start < row.Length; start += 2 * half, firstBit += half)
                PairOrder.Split(row.Slice(start, 2 * half), scratch.Slice(start, 2 * half), bits, firstBit);
            scratch.CopyTo(row);
        }
    }

    /// <summary>Undoes the layers of a row, the last one first.</summary>
    /// <param name="row">In place.</param>
    /// <param name="layers">0 or more.</param>
    /// <param name="scratch">As long as the row.</param>
    /// <param name="bits">What <see cref="Split(Span{float}, int, Span{float}, Span{byte}, long)"/> wrote.</param>
    /// <param name="firstBit">Where the row's bits are.</param>
    public static void Join(Span<float> row, int layers, Span<float> scratch, ReadOnlySpan<byte> bits, long firstBit)
    {
        scratch = scratch[..row.Length];
        for (int layer = layers - 1; layer >= 0; layer--)
        {
            int half = row.Length >> (layer + 1);
            long bit = firstBit + (long)layer * (row.Length / 2);
            for (int start = 0; start < row.Length; start += 2 * half, bit += half)
                PairOrder.Join(row.Slice(start, 2 * half), scratch.Slice(start, 2 * half), bits, bit);
            scratch.CopyTo(row);
        }
    }
}
