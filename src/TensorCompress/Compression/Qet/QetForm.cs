namespace TensorCompress.Compression.Qet;

/// <summary>Whose codebooks a weight is quantised with.</summary>
public enum QetForm
{
    /// <summary>Whichever gives the smaller error; with statistics of the inputs the universal ones wherever the bits suffice.</summary>
    Auto,

    /// <summary>Codebooks fitted to the column groups of the matrix, stored with it.</summary>
    Fitted,

    /// <summary>Codebooks for normal numbers that the library has, after a rotation; with statistics by error feedback.</summary>
    Universal,
}
