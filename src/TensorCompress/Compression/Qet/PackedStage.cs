using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>A stage as look-up reads it: codes as they are stored, codebooks by column.</summary>
/// <remarks>
/// A table takes as many multiplications as a row for each centroid, and there are never more centroids than rows. Not through swaps: behind a swap layer the sums of pairs are centroids' too, but their
/// differences have a sign for each row, so the row must be decoded anyway.
/// </remarks>
internal sealed class PackedStage : StageRows, IDisposable
{
    /// <summary>Floats of the tables of sixteen vectors that lie in the second-level cache while rows pass.</summary>
    private const int CachedFloats = 1 << 16;

    /// <summary>Bits of codes that lie there while tables pass.</summary>
    private const int CachedCodeBits = 1 << 21;

    private readonly Matrix<byte> _codes;
    private readonly PackedNumbers _numbers;

    /// <param name="stage">Without swaps.</param>
    /// <param name="plan">The plan of its matrix.</param>
    /// <param name="index">Which stage of it.</param>
    public PackedStage(QetEncodedStage stage, QetPlan plan, int index)
        : base([], 0, stage.CodeBits, stage.Centroids)
    {
        (Groups, GroupColumns) = (plan.Options.Subspaces, plan.SubvectorLength);
        _codes = new Matrix<byte>(1, stage.Codes.Length + TableProducts.SlackBytes);
        stage.Codes.CopyTo(_codes.Row(0));
        _numbers = new PackedNumbers(stage.Codebook, plan, index);
    }

    /// <summary>Column groups.</summary>
    public int Groups { get; }

    /// <summary>Columns of a group.</summary>
    public int GroupColumns { get; }

    /// <summary>Floats that <see cref="DecodeGroup"/> writes.</summary>
    public int GroupNumbers => GroupColumns * Centroids;

    /// <summary>Groups whose tables are used together: a multiple of four.</summary>
    public int GroupsTogether => Math.Max(4, CachedFloats / (Centroids * TableProducts.Tokens) & ~3);

    /// <summary>Rows whose codes are used together.</summary>
    public int RowsTogether => CachedCodeBits / Math.Max(1, Groups * CodeBits) + 1;

    /// <summary>The codes.</summary>
    public CodeRows Codes => new(_codes.Row(0), CodeBits, Groups);

    /// <summary>Bytes held.</summary>
    public long ByteLength => _codes.ByteLength + _numbers.ByteLength;

    /// <inheritdoc/>
    protected override ReadOnlySpan<byte> CodeBytes => _codes.Row(0);

    /// <summary>Whether products of a stage go by look-up.</summary>
    public static bool Takes(StageRows stage) => stage.SwapLayers == 0 && stage.CodeBits <= TableProducts.MostCodeBits;

    /// <summary>The centroids of a group, [column, centroid].</summary>
    public void DecodeGroup(int group, Span<float> destination) => _numbers.Decode(group, destination);

    /// <inheritdoc/>
    public void Dispose() => _codes.Dispose();

    /// <inheritdoc/>
    protected override void Centroid(int group, int index, Span<float> destination) => _numbers.Centroid(group, index, destination);
}
