namespace TensorCompress.Compression.Mpo;

/// <summary>What cores are fitted to.</summary>
public enum MpoFit
{
    /// <summary><see cref="Alternating"/> where there are statistics of the layer's inputs, <see cref="Weights"/> where there are none.</summary>
    Automatic,

    /// <summary>The weights themselves: TT-SVD.</summary>
    Weights,

    /// <summary>The weights with each column scaled by the root mean square of its input.</summary>
    Diagonal,

    /// <summary>The weights in the metric of the best Kronecker product for the inputs' second moment.</summary>
    Kronecker,

    /// <summary>The outputs, in the metric of the whole second moment: alternating least squares from the <see cref="Kronecker"/> start.</summary>
    Alternating,
}
