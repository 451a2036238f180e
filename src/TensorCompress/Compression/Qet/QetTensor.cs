using TensorCompress.Compression.Qet.Rotated;

namespace TensorCompress.Compression.Qet;

/// <summary>A matrix in the form of <see cref="QetCodec"/>: immutable, thread-safe, decoded from any row on.</summary>
public sealed class QetTensor
{
    private readonly QetEncodedStage[] _stages;

    internal QetTensor(QetPlan plan, QetEncodedStage[] stages, RowRotation? rotation = null) => (Plan, _stages, Rotation) = (plan, stages, rotation);

    /// <summary>Shape, options, centroids and where every bit goes.</summary>
    public QetPlan Plan { get; }

    /// <summary>Rows of the matrix.</summary>
    public nint Rows => Plan.Rows;

    /// <summary>Columns of the matrix.</summary>
    public nint Columns => Plan.Columns;

    /// <summary>Bytes of swaps, codes, codebooks, scales and a learnt rotation.</summary>
    public long StoredBytes => _stages.Sum(stage => stage.StoredBytes) + (Rotation?.ByteLength ?? 0);

    /// <summary>Writes all of it: a header of its shape and options, then every part as it is in memory.</summary>
    /// <param name="stream">Where to; it stays open.</param>
    /// <exception cref="ArgumentException">The stream cannot be written to.</exception>
    /// <exception cref="IOException">Writing failed; what was written before is no tensor.</exception>
    public void Write(Stream stream) => QetStream.Write(this, stream);

    /// <summary>Reads what <see cref="Write"/> wrote, and nothing behind it.</summary>
    /// <param name="stream">Where from; it need not know its length, and stays open. Memory grows with what it holds, not with what it says of itself.</param>
    /// <exception cref="Storage.TensorFormatException">The stream ends early, or holds something else or what cannot be.</exception>
    /// <exception cref="NotSupportedException">The stream cannot be read from.</exception>
    /// <exception cref="IOException">Reading failed.</exception>
    public static QetTensor Read(Stream stream) => QetStream.Read(stream);

    /// <summary>What rows are rotated by; null for nothing.</summary>
    internal RowRotation? Rotation { get; }

    internal IReadOnlyList<QetEncodedStage> Stages => _stages;

    /// <summary>Numbers of the codebooks of all stages.</summary>
    internal int CodebookNumbers => _stages.Sum(stage => stage.Codebook.Count);

    /// <summary>Writes the codebooks of all stages, one after the other, as floats.</summary>
    internal void DecodeCodebooks(Span<float> destination)
    {
        foreach (QetEncodedStage stage in _stages)
        {
            stage.Codebook.Decode(0, destination[..stage.Codebook.Count]);
            destination = destination[stage.Codebook.Count..];
        }
    }

    /// <summary>Decodes a row, rotated as it is.</summary>
    /// <param name="row">Which.</param>
    /// <param name="codebooks">What <see cref="DecodeCodebooks"/> gave; empty to decode no more than this row needs.</param>
    /// <param name="destination">All columns of it.</param>
    /// <param name="scratch">Twice as long.</param>
    internal void DecodeRow(nint row, ReadOnlySpan<float> codebooks, Span<float> destination, Span<float> scratch)
    {
        int subspaces = Plan.Options.Subspaces;
        Span<float> part = scratch[..destination.Length], room = scratch[destination.Length..];
        for (int i = 0; i < _stages.Length; i++)
        {
            _stages[i].Decode(row, subspaces, codebooks, i == 0 ? destination : part, room);
            if (!codebooks.IsEmpty) codebooks = codebooks[_stages[i].Codebook.Count..];
            if (i == 0) continue;
            for (int k = 0; k < destination.Length; k++) destination[k] += part[k];
        }
    }
}
