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

    /// <summary>The Hugging Face row that a stored row holds.</summary>
    /// <param name="row">Row as it is stored, over all heads.</param>
    /// <param name="headDimension">Rows of a head, even.</param>
    public static long OriginalRow(long row, int headDimension)
    {
        long head = row / headDimension, channel = row % headDimension;
        return head * headDimension + channel / 2 + headDimension / 2 * (channel % 2);
    }

    /// <summary>Consecutive elements of a matrix whose rows are stored in another order, in pieces of one row each.</summary>
    /// <param name="firstElement">Row-major index of the first element.</param>
    /// <param name="count">Number of elements.</param>
    /// <param name="columns">Columns of the matrix.</param>
    /// <param name="storedRow">The stored row that holds a row.</param>
    /// <returns>Index of the first stored element, place among the elements, and length of each piece.</returns>
    internal static IEnumerable<(long Stored, int At, int Length)> Pieces(long firstElement, int count, long columns, Func<long, long> storedRow)
    {
        int done = 0;
        while (done < count)
        {
            (long row, long column) = Math.DivRem(firstElement + done, columns);
            int length = (int)Math.Min(columns - column, count - done);
            yield return (storedRow(row) * columns + column, done, length);
            done += length;
        }
    }
}
