namespace TensorCompress.Storage;

/// <summary>
/// Row order of query and key matrices. GGUF and llama2.c store a head's rows for rotary embedding of neighbouring channels, Hugging Face checkpoints for its halves:
/// row 2i + j of a stored head is row i + d/2 j (j = 0, 1) of a Hugging Face head of d rows.
/// </summary>
public static class RotaryRowOrder
{
    /// <summary>The stored row that holds a Hugging Face row.</summary>
    /// <param name="row">Row in Hugging Face order, over all heads.</param>
    /// <param name="headDimension">Rows of a head, even.</param>
    public static long StoredRow(long row, int headDimension)
    {
        long head = row / headDimension, channel = row % headDimension;
        int half = headDimension / 2;
        return head * headDimension + 2 * (channel % half) + channel / half;
    }

    /// <summary>Reads consecutive elements of a matrix in Hugging Face row order from a reader of stored elements.</summary>
    /// <param name="firstElement">Row-major index of the first element, in Hugging Face order.</param>
    /// <param name="columns">Columns of the matrix.</param>
    /// <param name="headDimension">Rows of a head.</param>
    /// <param name="destination">Filled completely.</param>
    /// <param name="read">Reads stored elements from an index on.</param>
    internal static void Read(long firstElement, long columns, int headDimension, Span<float> destination, StoredReader read)
    {
        int done = 0;
        while (done < destination.Length)
        {
            (long row, long column) = Math.DivRem(firstElement + done, columns);
            int count = (int)Math.Min(columns - column, destination.Length - done);
            read(StoredRow(row, headDimension) * columns + column, destination.Slice(done, count));
            done += count;
        }
    }

    /// <summary>Reads stored elements.</summary>
    internal delegate void StoredReader(long firstElement, Span<float> destination);
}
