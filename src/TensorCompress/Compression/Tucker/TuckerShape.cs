namespace TensorCompress.Compression.Tucker;

/// <summary>
/// How W [m, n] is cut: columns are (h, c), head and channel, c fastest, and <c>W[o, (h, c)] = sum over a, k of P[o, k] C[k, (a, c)] U[a, h]</c>. U mixes the heads to fewer, and what is left
/// is a low rank. This is Tucker's form with the channels whole.
/// </summary>
/// <param name="Rows">m.</param>
/// <param name="Heads">h.</param>
/// <param name="Channels">c.</param>
/// <param name="HeadRank">a, at most the heads.</param>
/// <param name="Rank">k, at most what C can have.</param>
internal sealed record TuckerShape(int Rows, int Heads, int Channels, int HeadRank, int Rank)
{
    /// <summary>n.</summary>
    public int Columns => Heads * Channels;

    /// <summary>(a, c).</summary>
    public int MixedColumns => HeadRank * Channels;

    /// <summary>Elements of the three factors.</summary>
    public long Parameters => (long)HeadRank * Heads + (long)Rank * (Rows + MixedColumns);
}
