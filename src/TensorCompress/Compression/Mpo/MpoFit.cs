namespace TensorCompress.Compression.Mpo;

/// <summary>What cores are fitted to.</summary>
public enum MpoFit
{
    /// <summary>
    /// <see cref="Weights"/> where there are no statistics of the layer's inputs. With them <see cref="Alternating"/>; and with two sites and a budget (a share or bytes) of a matrix of at most
    /// 2048 rows and columns, the split is chosen by the outputs' error too: of the balanced one, the product of two matrices and splits between these the best at equal parameters.
    /// </summary>
    Automatic,

    /// <summary>The weights themselves: TT-SVD.</summary>
    Weights,

    /// <summary>The weights with each column scaled by the root mean square of its input.</summary>
    Diagonal,

    /// <summary>The weights in the metric of the best Kronecker product for the inputs' second moment.</summary>
    Kronecker,

    /// <summary>
    /// The outputs, in the metric of the whole second moment: least squares from the <see cref="Kronecker"/> start, one core after the other, or both of two cores at once by conjugate gradients
    /// where that multiplies less (ten steps count as a sweep). With three and more sites the second half of the sweeps is over pairs of cores, and a budget (a share or bytes) moves between the bonds.
    /// </summary>
    Alternating,
}
