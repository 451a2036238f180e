namespace TensorCompress.Compression.Qet;

/// <summary>A matrix in the form of <see cref="QetCodec"/>: immutable, thread-safe, decoded from any row on.</summary>
public sealed class QetTensor
{
    private readonly QetEncodedStage[] _stages;

    internal QetTensor(QetPlan plan, QetEncodedStage[] stages) => (Plan, _stages) = (plan, stages);

    /// <summary>Shape, options, centroids and where every bit goes.</summary>
    public QetPlan Plan { get; }

    /// <summary>Rows of the matrix.</summary>
    public nint Rows => Plan.Rows;

    /// <summary>Columns of the matrix.</summary>
    public nint Columns => Plan.Columns;

    /// <summary>Bytes of swaps, codes, codebooks and scales.</summary>
    public long StoredBytes => _stages.Sum(stage => (long)stage.Swaps.Length + stage.Codes.Length + stage.Codebook.Stored.Length + sizeof(float) * stage.Codebook.Scales.Length);

    internal IReadOnlyList<QetEncodedStage> Stages => _stages;
}

/// <summary>What one stage of a matrix is stored as.</summary>
/// <param name="Swaps">Bits of its swap layers, row after row.</param>
/// <param name="Codes">[row, column group], without gaps.</param>
/// <param name="Codebook">Its centroids.</param>
/// <param name="SwapLayers">Swap layers.</param>
/// <param name="CodeBits">Bits of a code.</param>
internal sealed record QetEncodedStage(byte[] Swaps, byte[] Codes, QetCodebook Codebook, int SwapLayers, int CodeBits)
{
    /// <summary>Decodes a row.</summary>
    /// <param name="row">Which.</param>
    /// <param name="subspaces">Column groups.</param>
    /// <param name="destination">All columns of it.</param>
    /// <param name="scratch">As long.</param>
    public void Decode(nint row, int subspaces, Span<float> destination, Span<float> scratch)
    {
        int length = destination.Length / subspaces;
        for (int group = 0; group < subspaces; group++)
        {
            int code = BitStream.Read(Codes, ((long)row * subspaces + group) * CodeBits, CodeBits);
            Codebook.Centroid(group, code).CopyTo(destination.Slice(group * length, length));
        }

        ElementSwap.Join(destination, SwapLayers, scratch, Swaps, row * ElementSwap.BitsPerRow(destination.Length, SwapLayers));
    }
}
