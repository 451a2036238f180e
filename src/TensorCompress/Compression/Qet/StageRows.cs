namespace TensorCompress.Compression.Qet;

/// <summary>Rows of one stage: codes that choose centroids for the column groups, behind swaps or none. Whatever form codes and centroids have in memory, a row is decoded here.</summary>
/// <param name="swaps">Bits of its swap layers, row after row.</param>
/// <param name="swapLayers">Swap layers.</param>
/// <param name="codeBits">Bits of a code.</param>
/// <param name="centroids">Centroids of a group.</param>
internal abstract class StageRows(byte[] swaps, int swapLayers, int codeBits, int centroids)
{
    /// <summary>Bits of its swap layers, row after row.</summary>
    public byte[] Swaps { get; } = swaps;

    /// <summary>Swap layers.</summary>
    public int SwapLayers { get; } = swapLayers;

    /// <summary>Bits of a code.</summary>
    public int CodeBits { get; } = codeBits;

    /// <summary>Centroids of a group.</summary>
    public int Centroids { get; } = centroids;

    /// <summary>[row, column group], without gaps, at least.</summary>
    protected abstract ReadOnlySpan<byte> CodeBytes { get; }

    /// <summary>Which centroid a group of a row has.</summary>
    public int Code(nint row, int subspaces, int group) => CodeBits == 0 ? 0 : BitStream.Read(CodeBytes, ((long)row * subspaces + group) * CodeBits, CodeBits);

    /// <summary>Decodes a row.</summary>
    /// <param name="row">Which.</param>
    /// <param name="subspaces">Column groups.</param>
    /// <param name="codebook">All centroids as floats, [group, centroid, column of the group], at least; empty to decode no more than this row needs.</param>
    /// <param name="destination">All columns of it.</param>
    /// <param name="scratch">As long.</param>
    public void Decode(nint row, int subspaces, ReadOnlySpan<float> codebook, Span<float> destination, Span<float> scratch)
    {
        int length = destination.Length / subspaces;
        for (int group = 0; group < subspaces; group++)
        {
            int code = Code(row, subspaces, group);
            Span<float> values = destination.Slice(group * length, length);
            if (codebook.IsEmpty) Centroid(group, code, values);
            else codebook.Slice((group * Centroids + code) * length, length).CopyTo(values);
        }

        ElementSwap.Join(destination, SwapLayers, scratch, Swaps, row * ElementSwap.BitsPerRow(destination.Length, SwapLayers));
    }

    /// <summary>Decodes a centroid.</summary>
    protected abstract void Centroid(int group, int index, Span<float> destination);
}

/// <summary>What one stage of a matrix is stored as.</summary>
/// <param name="swaps">Bits of its swap layers, row after row.</param>
/// <param name="codes">[row, column group], without gaps.</param>
/// <param name="codebook">Its centroids.</param>
/// <param name="swapLayers">Swap layers.</param>
/// <param name="codeBits">Bits of a code.</param>
/// <param name="centroids">Centroids of a group.</param>
internal sealed class QetEncodedStage(byte[] swaps, byte[] codes, QetCodebook codebook, int swapLayers, int codeBits, int centroids) : StageRows(swaps, swapLayers, codeBits, centroids)
{
    /// <summary>[row, column group], without gaps.</summary>
    public byte[] Codes { get; } = codes;

    /// <summary>Its centroids.</summary>
    public QetCodebook Codebook { get; } = codebook;

    /// <summary>Bytes of swaps, codes, codebook and scales.</summary>
    public long StoredBytes => Swaps.Length + (long)Codes.Length + Codebook.Stored.Length + sizeof(float) * (long)Codebook.Scales.Length;

    /// <summary>What cannot be, of a stage that was read: a number of a centroid beyond what the codec takes, or a code without a centroid; null for nothing.</summary>
    /// <param name="rows">Rows of the matrix.</param>
    /// <param name="subspaces">Column groups.</param>
    public (string Part, string Message)? Fault(nint rows, int subspaces)
    {
        float[] numbers = new float[Codebook.Count];
        Codebook.Decode(0, numbers);
        const float Largest = 4 * QetCodec.LargestMagnitude;
        int wrong = numbers.AsSpan().IndexOfAnyExceptInRange(-Largest, Largest);
        if (wrong >= 0) return (QetWeight.CodebookPart, $"number {wrong} of the codebook is {numbers[wrong]}");
        if (Centroids == 1 << CodeBits) return null;
        for (nint row = 0; row < rows; row++)
        {
            for (int group = 0; group < subspaces; group++)
            {
                if (Code(row, subspaces, group) is var code && code >= Centroids) return (QetWeight.CodesPart, $"the code of row {row}, group {group} is {code} of {Centroids} centroids");
            }
        }

        return null;
    }

    /// <inheritdoc/>
    protected override ReadOnlySpan<byte> CodeBytes => Codes;

    /// <inheritdoc/>
    protected override void Centroid(int group, int index, Span<float> destination) => Codebook.Centroid(group, index, destination);
}
