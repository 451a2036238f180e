namespace TensorCompress.Compression.Qet;

/// <summary>Where the bits of a compressed matrix go. The sum is eight times its stored bytes.</summary>
/// <param name="Codes">Which centroid stands for each row of each column group.</param>
/// <param name="Swaps">Which neighbours were exchanged.</param>
/// <param name="Codebooks">The centroids.</param>
/// <param name="Scales">Least value and step of the grids that centroids are rounded to.</param>
/// <param name="Padding">What fills the last byte of a part.</param>
/// <param name="Rotation">A learnt rotation.</param>
public readonly record struct BitAccount(long Codes, long Swaps, long Codebooks, long Scales, long Padding, long Rotation = 0)
{
    /// <summary>All of them.</summary>
    public long Total => Codes + Swaps + Codebooks + Scales + Padding + Rotation;

    /// <summary>Two accounts together.</summary>
    public static BitAccount operator +(BitAccount left, BitAccount right) => new(
        left.Codes + right.Codes, left.Swaps + right.Swaps, left.Codebooks + right.Codebooks, left.Scales + right.Scales, left.Padding + right.Padding, left.Rotation + right.Rotation);
}
