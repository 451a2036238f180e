using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>A stage as look-up reads it, without swaps or behind one layer of them: codes and swap bits as they are stored, codebooks by column or by centroid.</summary>
/// <remarks>
/// Without swaps a table takes as many multiplications as a row for each centroid. Behind one swap layer it is a few times as many; where centroids outnumber the rows, decoding is cheaper. Two layers and more
/// have no such tables: which values a column meets then depends on too many bits.
/// </remarks>
internal sealed class PackedStage : StageRows, IDisposable
{
    /// <summary>Floats of tables that lie in the second-level cache while rows pass.</summary>
    private const int CachedFloats = 1 << 16;

    /// <summary>Bits of codes that lie there while tables pass.</summary>
    private const int CachedCodeBits = 1 << 21;

    /// <summary>Groups behind a swap layer that are worth the turn of a row, though their tables may leave the second-level cache, and those after which small tables leave the first.</summary>
    private const int LeastPartners = 8, MostPartners = 96;

    private readonly Matrix<byte> _codes;
    private readonly PackedNumbers _numbers;

    /// <param name="stage">One that <see cref="Takes"/>.</param>
    /// <param name="plan">The plan of its matrix.</param>
    /// <param name="index">Which stage of it.</param>
    public PackedStage(QetEncodedStage stage, QetPlan plan, int index)
        : base(stage.SwapLayers == 0 ? [] : [.. stage.Swaps, .. new byte[TableProducts.SlackBytes]], stage.SwapLayers, stage.CodeBits, stage.Centroids)
    {
        (Groups, GroupColumns) = (plan.Options.Subspaces, plan.SubvectorLength);
        _codes = new Matrix<byte>(1, stage.Codes.Length + TableProducts.SlackBytes);
        stage.Codes.CopyTo(_codes.Row(0));
        HasPatterns = GroupColumns <= SwapPatternProducts.MostColumns;
        _numbers = new PackedNumbers(stage.Codebook, plan, index, isByColumn: SwapLayers == 0 || HasPatterns);
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

    /// <summary>Whether groups are narrow enough for a table of each pattern of their swap bits.</summary>
    public bool HasPatterns { get; }

    /// <summary>Groups of the first half whose tables, and those of their partners in the second, are used together behind a swap layer.</summary>
    public int PartnersTogether
    {
        get
        {
            long floats = HasPatterns ? (long)TableProducts.TableLength(Centroids) << GroupColumns : Centroids * (PairProducts.Length(GroupColumns) + 1L);
            return Math.Min(Groups / 2, (int)Math.Clamp(CachedFloats / (2 * floats), LeastPartners, MostPartners));
        }
    }

    /// <summary>The codes and the bits of their swap layer.</summary>
    public SwappedRows SwappedRows => new(Codes, Swaps, GroupColumns);

    /// <summary>The codes.</summary>
    public CodeRows Codes => new(_codes.Row(0), CodeBits, Groups);

    /// <summary>Bytes held.</summary>
    public long ByteLength => _codes.ByteLength + _numbers.ByteLength + Swaps.Length;

    /// <inheritdoc/>
    protected override ReadOnlySpan<byte> CodeBytes => _codes.Row(0);

    /// <summary>Whether products of a stage go by look-up.</summary>
    public static bool Takes(StageRows stage, QetPlan plan) => stage.CodeBits <= TableProducts.MostCodeBits && stage.SwapLayers switch
    {
        0 => true,
        1 => plan.Options.Subspaces % 2 == 0 && stage.Centroids <= plan.Rows, // otherwise a group has larger and smaller ones, and no partner
        _ => false,
    };

    /// <summary>The centroids of a group: [column, centroid], or [centroid, column] behind a swap layer where groups are wide.</summary>
    public void DecodeGroup(int group, Span<float> destination) => _numbers.Decode(group, destination);

    /// <inheritdoc/>
    public void Dispose() => _codes.Dispose();

    /// <inheritdoc/>
    protected override void Centroid(int group, int index, Span<float> destination) => _numbers.Centroid(group, index, destination);
}
