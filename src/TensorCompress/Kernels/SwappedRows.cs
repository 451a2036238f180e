using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>
/// Rows of codes behind one swap layer, as a file has them: the first half of a row's groups holds the smaller ones of all pairs of neighbours, the second half the larger ones. Group h and its partner,
/// group h + groups / 2, are about the same pairs and share their swap bits; bit i of a pair is 1 where the smaller one stands first.
/// </summary>
/// <param name="codes">[row, group], an even number of groups.</param>
/// <param name="swaps">[row, pair of columns] without gaps and <see cref="TableProducts.SlackBytes"/> behind them.</param>
/// <param name="columns">Columns of a group.</param>
internal readonly unsafe ref struct SwappedRows(CodeRows codes, ReadOnlySpan<byte> swaps, int columns)
{
    /// <summary>Rows that pass while one is fetched.</summary>
    public const int RowsAhead = 8;

    public readonly CodeRows Codes = codes;
    public readonly ReadOnlySpan<byte> Swaps = swaps;
    public readonly int Columns = columns;

    /// <summary>Groups of a half: each has its partner.</summary>
    public int Partners => Codes.Groups / 2;

    /// <summary>Bit of the codes at which a group of a row begins.</summary>
    public long CodeAt(int row, int group) => ((long)row * Codes.Groups + group) * Codes.Bits;

    /// <summary>Bit of the swaps at which those of a group of the first half begin.</summary>
    public long SwapAt(int row, int group) => ((long)row * Partners + group) * Columns;

    /// <summary>Asks for what some groups of a row have into the second-level cache: tables of few groups pass all rows, whose codes are too many for it and lie too far apart to be fetched unasked.</summary>
    public void Fetch(byte* codes, byte* swaps, int row, int group)
    {
        CacheLine.Fetch(codes + (CodeAt(row, group) >> 3));
        CacheLine.Fetch(codes + (CodeAt(row, Partners + group) >> 3));
        CacheLine.Fetch(swaps + (SwapAt(row, group) >> 3));
    }

    /// <summary>Throws where rows, groups of the first half or codes lie outside what is there.</summary>
    public void ThrowIfOutside(int rows, int groups, int centroids)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(groups, Partners, nameof(groups));
        ArgumentOutOfRangeException.ThrowIfNotEqual(Codes.Groups & 1, 0, nameof(groups));
        Codes.ThrowIfOutside(rows, Codes.Groups, centroids);
        long needed = (SwapAt(rows, 0) + 7) / 8 + TableProducts.SlackBytes;
        if (rows > 0 && needed > Swaps.Length) throw new ArgumentException($"Swaps of {Swaps.Length} bytes; {needed} are needed with those behind.", nameof(rows));
    }

    /// <summary>At least 57 bits from any bit on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong BitsAt(byte* stream, long bit) => Unsafe.ReadUnaligned<ulong>(stream + (nint)(bit >> 3)) >> (int)(bit & 7);
}
