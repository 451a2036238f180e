using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <summary>
/// TT-SVD (Oseledets, SIAM J. Sci. Comput. 33, 2011): W as a tensor with one index (o_k i_k) per site is unfolded bond by bond from the left, each unfolding
/// replaced by its best approximation of rank r_k. Two sites: the best operator of that bond dimension (Van Loan and Pitsianis).
/// </summary>
internal static class TensorTrainSvd
{
    /// <summary>Factorises.</summary>
    /// <param name="outputDimension">Rows of W without padding.</param>
    /// <param name="inputDimension">Columns of W without padding.</param>
    /// <param name="factors">The split over the sites.</param>
    /// <param name="unfolded">W as <see cref="SiteUnfolding"/> gives it; taken over.</param>
    /// <param name="truncation">How far bonds are cut.</param>
    /// <param name="limits">r_0 ... r_L, the most of each bond.</param>
    /// <param name="pool">Threads.</param>
    /// <param name="progress">Told the share done; may be null.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <returns>Left-orthogonal but for the last core.</returns>
    public static MatrixProductOperator Decompose(
        int outputDimension, int inputDimension, SiteFactors factors, Matrix<double> unfolded, MpoTruncation truncation, int[] limits,
        ComputePool pool, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        int sites = factors.Sites;
        var cores = new Matrix<double>[sites];
        int[] bonds = [.. Enumerable.Repeat(1, sites + 1)];
        double square = unfolded.SquaredNorm(), discarded = 0;
        Matrix<double> carried = unfolded;
        for (int site = 0; site < sites - 1; site++)
        {
            using Matrix<double> unfolding = carried;
            double before = site == 0 ? square : unfolding.SquaredNorm();
            using SingularValueDecomposition svd = truncation.Tolerance is null
                ? Svd.Truncated(unfolding.View, limits[site + 1], pool, cancellationToken)
                : Svd.Full(unfolding.View, pool, cancellationToken);
            int numerical = ChainSweep.NumericalRank(svd);
            double allowed = (truncation.Tolerance is double tolerance ? tolerance * tolerance * square : 0) - discarded;
            int rank = truncation.ChooseRank(svd.Values[..numerical], limits[site + 1], allowed / (sites - 1 - site));
            double kept = 0;
            foreach (double value in svd.Values[..rank]) kept += value * value;
            discarded += Math.Max(0, before - kept);
            cores[site] = ChainSweep.Columns(svd.LeftTransposed, rank).Reshape((nint)bonds[site] * factors.Outputs[site]);
            bonds[site + 1] = rank;
            carried = Carry(svd, rank, factors.Outputs[site + 1] * factors.Inputs[site + 1]);
            progress?.Report((site + 1.0) / sites);
        }

        cores[^1] = carried.Reshape((nint)bonds[sites - 1] * factors.Outputs[^1]);
        return new MatrixProductOperator(outputDimension, inputDimension, factors, bonds, cores)
        {
            OrthogonalityCenter = sites - 1,
            DiscardedError = square == 0 ? 0 : Math.Sqrt(discarded / square),
        };
    }

    /// <summary>diag(s) V^T, read as the next unfolding [r o i, rest].</summary>
    private static Matrix<double> Carry(SingularValueDecomposition svd, int rank, int siteSize)
    {
        for (int r = 0; r < rank; r++) DoubleVectors.Scale(svd.Values[r], svd.RightTransposed.Row(r));
        int rest = checked((int)(svd.RightTransposed.Columns / siteSize));
        var carried = new Matrix<double>(rank * (nint)siteSize, rest);
        for (int r = 0; r < rank; r++)
        {
            ReadOnlySpan<double> row = svd.RightTransposed.Row(r);
            for (int i = 0; i < siteSize; i++) row.Slice(i * rest, rest).CopyTo(carried.Row(r * (nint)siteSize + i));
        }

        return carried;
    }
}
