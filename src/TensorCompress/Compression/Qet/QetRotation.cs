namespace TensorCompress.Compression.Qet;

/// <summary>What rows are rotated by before swaps and codebooks.</summary>
public enum QetRotation
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Fixed random signs, then the Hadamard transform of blocks of the widest power of two, up to 256, that divides the columns. Costs no bits.</summary>
    Hadamard,

    /// <summary>A rotation that is learnt from the rows and stored with 16 bits for each pair of columns (optimised product quantisation, Ge, He, Ke, Sun 2013).</summary>
    Learnt,
}
