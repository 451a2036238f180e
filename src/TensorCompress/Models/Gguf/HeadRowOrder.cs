namespace TensorCompress.Models.Gguf;

/// <summary>Row orders of one matrix for queries, keys and values of equally many heads.</summary>
internal static class HeadRowOrder
{
    /// <summary>The row of a matrix with all queries, all keys, all values that holds a row of one that is ordered head by head.</summary>
    /// <param name="heads">Heads.</param>
    /// <param name="headDimension">Rows of a head's queries.</param>
    public static Func<long, long> PartsTogether(int heads, int headDimension) => row =>
    {
        (long head, long within) = Math.DivRem(row, 3L * headDimension);
        (long part, long channel) = Math.DivRem(within, headDimension);
        return (part * heads + head) * headDimension + channel;
    };

    /// <summary>The inverse: the row of the matrix head by head that holds a row of the one by parts.</summary>
    /// <param name="heads">Heads.</param>
    /// <param name="headDimension">Rows of a head's queries.</param>
    public static Func<long, long> HeadByHead(int heads, int headDimension) => row =>
    {
        (long part, long within) = Math.DivRem(row, (long)heads * headDimension);
        (long head, long channel) = Math.DivRem(within, headDimension);
        return (3 * head + part) * headDimension + channel;
    };
}
