namespace TensorCompress.Numerics;

/// <summary>The algorithm that a singular value decomposition took.</summary>
public enum SvdPath
{
    /// <summary>One-sided Jacobi rotations: small matrices, and whatever another path could not do.</summary>
    Jacobi,

    /// <summary>Eigenvectors of the Gram matrix in double precision, level by level.</summary>
    Gram,

    /// <summary>Randomised block Krylov: few values of a large matrix.</summary>
    BlockKrylov,
}
