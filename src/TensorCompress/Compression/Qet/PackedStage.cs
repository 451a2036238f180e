using System.Buffers;
using System.Buffers.Binary;
using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>A stage as products read it: swaps and codes as they are stored, codebooks by column.</summary>
internal sealed class PackedStage : IDisposable
{
    /// <summary>Floats of the tables of sixteen vectors that lie in the second-level cache while rows pass.</summary>
    private const int CachedFloats = 1 << 16;

    /// <summary>Bits of codes that lie there while tables pass.</summary>
    private const int CachedCodeBits = 1 << 20;

    private readonly Matrix<byte> _codes;
    private readonly byte[] _swaps;
    private readonly PackedNumbers _numbers;
    private readonly int _swapLayers, _codeBits;

    /// <param name="tensor">The matrix.</param>
    /// <param name="index">Which stage of it.</param>
    public PackedStage(QetTensor tensor, int index)
    {
        QetEncodedStage stage = tensor.Stages[index];
        (_swaps, _swapLayers, _codeBits, Centroids) = (stage.Swaps, stage.SwapLayers, stage.CodeBits, stage.Centroids);
        (Groups, GroupColumns) = (tensor.Plan.Options.Subspaces, tensor.Plan.SubvectorLength);
        _codes = new Matrix<byte>(1, stage.Codes.Length + TableProducts.SlackBytes);
        stage.Codes.CopyTo(_codes.Row(0));
        _numbers = new PackedNumbers(stage.Codebook, tensor.Plan, index);
    }

    /// <summary>Column groups.</summary>
    public int Groups { get; }

    /// <summary>Columns of a group.</summary>
    public int GroupColumns { get; }

    /// <summary>Centroids of a group.</summary>
    public int Centroids { get; }

    /// <summary>Floats that <see cref="Decode"/> writes for a group.</summary>
    public int GroupNumbers => GroupColumns * Centroids;

    /// <summary>Groups whose tables are used together: a multiple of four.</summary>
    public int GroupsTogether => Math.Max(4, CachedFloats / (Centroids * TableProducts.Tokens) & ~3);

    /// <summary>Rows whose codes are used together.</summary>
    public int RowsTogether => CachedCodeBits / Math.Max(1, Groups * _codeBits) + 1;

    /// <summary>
    /// Whether products go by look-up: a table takes as many multiplications as a row for each centroid, and there are never more centroids than rows. Not through swaps: behind a swap layer the sums of
    /// pairs are centroids' too, but their differences have a sign for each row, so the row must be decoded anyway.
    /// </summary>
    public bool UsesTables => _swapLayers == 0 && _codeBits <= TableProducts.MostCodeBits;

    /// <summary>The codes.</summary>
    public CodeRows Codes => new(_codes.Row(0), _codeBits, Groups);

    /// <summary>Bytes held.</summary>
    public long ByteLength => _codes.ByteLength + _swaps.Length + _numbers.ByteLength;

    /// <summary>The centroids of a group, [column, centroid].</summary>
    public void Decode(int group, Span<float> destination) => _numbers.Decode(group, destination);

    /// <summary>All centroids, [group, centroid, column].</summary>
    public void DecodeByCentroid(Span<float> destination)
    {
        float[] numbers = ArrayPool<float>.Shared.Rent(GroupNumbers);
        for (int group = 0, at = 0; group < Groups; group++)
        {
            Decode(group, numbers);
            for (int c = 0; c < Centroids; c++)
            {
                for (int k = 0; k < GroupColumns; k++) destination[at++] = numbers[k * Centroids + c];
            }
        }

        ArrayPool<float>.Shared.Return(numbers);
    }

    /// <summary>Decodes a row.</summary>
    /// <param name="row">Which.</param>
    /// <param name="centroids">What <see cref="DecodeByCentroid"/> gave; empty to decode no more than this row needs.</param>
    /// <param name="destination">All columns of it.</param>
    /// <param name="scratch">As long.</param>
    public void DecodeRow(int row, ReadOnlySpan<float> centroids, Span<float> destination, Span<float> scratch)
    {
        ReadOnlySpan<byte> codes = _codes.Row(0);
        long bit = (long)row * Groups * _codeBits;
        uint mask = (1u << _codeBits) - 1;
        for (int group = 0; group < Groups; group++, bit += _codeBits)
        {
            int code = (int)(BinaryPrimitives.ReadUInt32LittleEndian(codes[(int)(bit >> 3)..]) >> (int)(bit & 7) & mask); // up to 24 bits and 7
            Span<float> values = destination.Slice(group * GroupColumns, GroupColumns);
            if (!centroids.IsEmpty) centroids.Slice((group * Centroids + code) * GroupColumns, GroupColumns).CopyTo(values);
            else for (int k = 0; k < values.Length; k++) values[k] = _numbers.Read(group, k * Centroids + code);
        }

        ElementSwap.Join(destination, _swapLayers, scratch, _swaps, row * ElementSwap.BitsPerRow(destination.Length, _swapLayers));
    }

    /// <inheritdoc/>
    public void Dispose() => _codes.Dispose();
}
