namespace TensorCompress.Kernels.Simd;

/// <summary>
/// One, two or four lanes of sixteen bytes: look-ups in tables of sixteen bytes, one table for each lane, and sums of what was found. A byte belongs to a row: rows 0 to 7 are the
/// lower, rows 8 to 15 the upper bytes of 16-bit words. Everything is exact, so all widths give the same integers.
/// </summary>
/// <typeparam name="TSelf">The implementation.</typeparam>
/// <typeparam name="TSimd">Sixteen floats of the same width.</typeparam>
internal unsafe interface ITableLookup<TSelf, TSimd>
    where TSelf : struct, ITableLookup<TSelf, TSimd>
    where TSimd : struct, ISimd<TSimd>
{
    /// <summary>Bytes of a vector.</summary>
    static abstract int Bytes { get; }

    static abstract TSelf Zero { get; }

    static abstract TSelf Load(byte* source);

    /// <summary>The lower four bits of each byte.</summary>
    static abstract TSelf LowNibbles(TSelf bytes);

    /// <summary>The upper four bits of each byte.</summary>
    static abstract TSelf HighNibbles(TSelf bytes);

    /// <summary>The entries with these numbers, 0 to 15, each of its lane's table.</summary>
    static abstract TSelf Find(TSelf tables, TSelf numbers);

    /// <summary>
    /// Adds what was found to the sums of a chunk: to whole words, modulo 2^16, and its upper bytes to words of their own. 257 additions at most: 257 x 255 = 65535, so the sums of upper
    /// bytes are exact, and those of lower bytes are words - 256 upper, exact modulo 2^16 and below it.
    /// </summary>
    static abstract void Add(ref TSelf words, ref TSelf upper, TSelf found);

    /// <summary>The sixteen rows' sums over all lanes, less a number, below 2^24 in size and therefore exact.</summary>
    static abstract TSimd RowSums(TSelf words, TSelf upper, int less);
}
