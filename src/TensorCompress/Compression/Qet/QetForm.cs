namespace TensorCompress.Compression.Qet;

/// <summary>Whose codebooks a weight is quantised with.</summary>
public enum QetForm
{
    /// <summary>
    /// Whichever gives the smaller error; with statistics of the inputs the universal ones wherever the bits suffice, without trials of fitted ones: these take half a minute and more for a matrix, and were worse for every model and budget
    /// that was measured (benchmarks/results/AMD-EPYC-Zen3/qet.md). A matrix of clusters or of equal rows may be better with <see cref="Fitted"/>.
    /// </summary>
    Auto,

    /// <summary>Codebooks fitted to the column groups of the matrix, stored with it.</summary>
    Fitted,

    /// <summary>Codebooks for normal numbers that the library has, after a rotation; with statistics by error feedback.</summary>
    Universal,
}
