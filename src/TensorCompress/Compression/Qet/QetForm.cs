namespace TensorCompress.Compression.Qet;

/// <summary>Whose codebooks a weight is quantised with.</summary>
public enum QetForm
{
    /// <summary>
    /// Whichever gives the smaller error, of outputs where statistics of the inputs are there. Fitted ones, which take long, have a race where brief trials of plain and residual product quantisation say that they may win it: in matrices of
    /// clusters or of equal rows, hardly ever in trained weights.
    /// </summary>
    Auto,

    /// <summary>Codebooks fitted to the column groups of the matrix, stored with it.</summary>
    Fitted,

    /// <summary>Codebooks for normal numbers that the library has, after a rotation; with statistics by error feedback.</summary>
    Universal,
}
