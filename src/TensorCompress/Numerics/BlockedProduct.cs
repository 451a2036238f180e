using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>
/// The loops around <see cref="ProductTile"/>, after Goto and van de Geijn: B is packed once for all threads, A in blocks that stay in the
/// second level, panels of B in the first. Every element of C is <c>fma(alpha, s, beta C)</c> for the first <see cref="Depth"/> k and <c>fma(alpha, s, C)</c> for each
/// further <see cref="Depth"/>, s being one chain of multiply-adds from zero. Nothing else decides the bits: not the tiles, the threads or the path.
/// </summary>
/// <typeparam name="TRegister">Vector width.</typeparam>
/// <typeparam name="T">Element of C, in which the product is computed.</typeparam>
/// <typeparam name="TSource">Element of the operands, converted while they are packed.</typeparam>
/// <typeparam name="TRows">Height of a tile.</typeparam>
internal static unsafe class BlockedProduct<TRegister, T, TSource, TRows>
    where TRegister : struct, IRegister<TRegister, T>
    where T : unmanaged, IFloatingPointIeee754<T>
    where TSource : unmanaged
    where TRows : struct, ITileSize
{
    /// <summary>Length of the partial sums. It is part of the result's definition: changing it changes bits.</summary>
    public const int Depth = ProductBlocking.Depth;

    // Panels of B that a thread packs in one go where the columns of B are contiguous.
    private const int PanelsTogether = 8;

    private static int LineElements => ProductBlocking.LineBytes / sizeof(T);

    private static int TileRows => TRows.Count;

    private static int TileColumns => 2 * TRegister.Count;

    private static int BlockRows => ProductBlocking.SecondLevelBytes / (Depth * sizeof(T)) / TileRows * TileRows;

    /// <summary>C = alpha A B + beta C.</summary>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n].</param>
    /// <param name="alpha">Factor of the product.</param>
    /// <param name="beta">Factor of C.</param>
    /// <param name="lowerOnly">Whether only elements on and below the diagonal are needed; some above it are then overwritten too.</param>
    /// <param name="pool">Threads; null for the caller's alone.</param>
    public static void Run(StridedMatrix<TSource> a, StridedMatrix<TSource> b, StridedMatrix<T> c, T alpha, T beta, bool lowerOnly, ComputePool? pool)
    {
        // Tiles are wider than high and are stored by rows: of a narrow C, and of one whose columns are contiguous, the transpose is computed.
        bool narrow = c.Columns <= TileColumns / 2 && c.Rows > c.Columns;
        if (narrow || (c.ColumnStride != 1 && c.RowStride == 1)) (a, b, c) = (b.Transposed, a.Transposed, c.Transposed);
        if (c.Rows <= ProductBlocking.StreamedRows && typeof(T) == typeof(TSource) && b.ColumnStride == 1 && !lowerOnly) RunStreamed(a, b, c, alpha, beta, pool);
        else if (c.Rows <= BlockRows && !lowerOnly) RunFewRows(a, b, c, alpha, beta, pool);
        else RunBlocks(a, b, c, alpha, beta, lowerOnly, pool);
    }

    // A is one block: it is packed once, and each thread streams its own columns of B through its cache.
    private static void RunFewRows(StridedMatrix<TSource> a, StridedMatrix<TSource> b, StridedMatrix<T> c, T alpha, T beta, ComputePool? pool)
    {
        nint depth = a.Columns, packedRows = RoundUp(c.Rows, TileRows);
        using PackBuffer packedA = PackBuffer.Rent<T>(packedRows * depth + PanelPacking.Slack);
        T* left = packedA.Pointer<T>();
        for (nint k = 0; k < depth; k += Depth)
            PanelPacking.Pack(a.At(0, k), a.RowStride, a.ColumnStride, c.Rows, nint.Min(Depth, depth - k), TileRows, left + packedRows * k);
        nint panels = RoundUp(c.Columns, TileColumns) / TileColumns, together = Together(b, panels, pool);
        For(pool, panels, together, (start, end) =>
        {
            using PackBuffer packedB = PackBuffer.Rent<T>(together * TileColumns * Depth + PanelPacking.Slack);
            T* right = packedB.Pointer<T>();
            nint endColumn = nint.Min(c.Columns, end * TileColumns);
            for (nint column = start * TileColumns; column < endColumn; column += together * TileColumns)
            {
                nint columns = nint.Min(together * TileColumns, endColumn - column);
                for (nint k = 0; k < depth; k += Depth)
                {
                    nint length = nint.Min(Depth, depth - k);
                    PanelPacking.Pack(b.At(k, column), b.ColumnStride, b.RowStride, columns, length, TileColumns, right);
                    MultiplyBlock(length, left + packedRows * k, right, c, 0, c.Rows, column, columns, alpha, k == 0 ? beta : T.One, lowerOnly: false);
                }
            }
        });
    }

    // Of few rows: B is read once, as it lies, a strip of columns at a time; nothing is packed.
    private static void RunStreamed(StridedMatrix<TSource> a, StridedMatrix<TSource> b, StridedMatrix<T> c, T alpha, T beta, ComputePool? pool)
    {
        nint lines = RoundUp(c.Columns, LineElements) / LineElements, strip = Share(lines, PanelPacking.VisitBytes / ProductBlocking.LineBytes, pool);
        For(pool, lines, strip, (start, end) =>
        {
            using PackBuffer buffer = PackBuffer.Rent<T>(c.Rows * strip * LineElements);
            T* sums = buffer.Pointer<T>();
            for (; start < end; start += strip)
            {
                nint column = start * LineElements, columns = nint.Min(nint.Min(strip, end - start) * LineElements, c.Columns - column);
                for (nint k = 0; k < a.Columns; k += Depth)
                {
                    NativeMemory.Clear(sums, (nuint)(c.Rows * columns * sizeof(T)));
                    RowStream.Add<TRegister, T>(c.Rows, nint.Min(Depth, a.Columns - k), columns, (T*)a.At(0, k), a.RowStride, a.ColumnStride, (T*)b.At(k, column), b.RowStride, sums);
                    for (nint row = 0; row < c.Rows; row++)
                        RowStream.Update<TRegister, T>(columns, sums + row * columns, c.At(row, column), c.ColumnStride, alpha, k == 0 ? beta : T.One);
                }
            }
        });
    }

    private static void RunBlocks(StridedMatrix<TSource> a, StridedMatrix<TSource> b, StridedMatrix<T> c, T alpha, T beta, bool lowerOnly, ComputePool? pool)
    {
        // B is packed over many parts of the depth, so that threads meet seldom and a block of C is finished while it is near.
        nint packedDepth = nint.Min(ProductBlocking.DepthsTogether * Depth, a.Columns);
        nint blockColumns = nint.Min(ProductBlocking.LastLevelBytes / (packedDepth * sizeof(T)) / TileColumns * TileColumns, RoundUp(c.Columns, TileColumns));
        nint blockRows = BalancedRows(c.Rows, pool?.Threads ?? 1);
        using PackBuffer packedB = PackBuffer.Rent<T>(blockColumns * packedDepth + PanelPacking.Slack);
        T* right = packedB.Pointer<T>();
        for (nint column = 0; column < c.Columns; column += blockColumns)
        {
            nint columns = nint.Min(blockColumns, c.Columns - column);
            for (nint k = 0; k < a.Columns; k += packedDepth)
            {
                nint length = nint.Min(packedDepth, a.Columns - k);
                StridedMatrix<TSource> strip = b.RowRange(k, length).ColumnRange(column, columns), left = a.ColumnRange(k, length);
                PackRight(strip, right, pool);
                MultiplyRows(left, right, c, blockRows, column, columns, alpha, k == 0 ? beta : T.One, lowerOnly, pool);
            }
        }
    }

    private static void PackRight(StridedMatrix<TSource> b, T* right, ComputePool? pool)
    {
        nint packedColumns = RoundUp(b.Columns, TileColumns), panels = packedColumns / TileColumns;
        For(pool, panels, Together(b, panels, pool), (start, end) =>
        {
            nint first = start * TileColumns, columns = nint.Min(end * TileColumns, b.Columns) - first;
            for (nint k = 0; k < b.Rows; k += Depth)
            {
                nint length = nint.Min(Depth, b.Rows - k);
                PanelPacking.Pack(b.At(k, first), b.ColumnStride, b.RowStride, columns, length, TileColumns, right + packedColumns * k + first * length);
            }
        });
    }

    private static void MultiplyRows(
        StridedMatrix<TSource> a, T* right, StridedMatrix<T> c, nint blockRows, nint firstColumn, nint columns, T alpha, T beta, bool lowerOnly, ComputePool? pool)
    {
        nint blocks = (c.Rows + blockRows - 1) / blockRows, packedColumns = RoundUp(columns, TileColumns);
        For(pool, blocks, 1, (start, end) =>
        {
            using PackBuffer packedA = PackBuffer.Rent<T>(blockRows * nint.Min(Depth, a.Columns) + PanelPacking.Slack);
            T* left = packedA.Pointer<T>();
            for (nint block = start; block < end; block++)
            {
                // Below a diagonal the last blocks have the most work: they come first.
                nint row = (blocks - 1 - block) * blockRows, rows = nint.Min(blockRows, c.Rows - row);
                if (lowerOnly && row + rows <= firstColumn) continue;
                for (nint k = 0; k < a.Columns; k += Depth)
                {
                    nint length = nint.Min(Depth, a.Columns - k);
                    PanelPacking.Pack(a.At(row, k), a.RowStride, a.ColumnStride, rows, length, TileRows, left);
                    MultiplyBlock(length, left, right + packedColumns * k, c, row, rows, firstColumn, columns, alpha, k == 0 ? beta : T.One, lowerOnly);
                }
            }
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyBlock(
        nint depth, T* left, T* right, StridedMatrix<T> c, nint firstRow, nint rows, nint firstColumn, nint columns, T alpha, T beta, bool lowerOnly)
    {
        for (nint column = 0; column < columns; column += TileColumns)
        {
            int tileColumns = (int)nint.Min(TileColumns, columns - column);
            // While this panel of B is used, the next one comes nearer, a share with every tile.
            T* next = right + (column + TileColumns) * depth;
            nint share = column + TileColumns < columns ? TileColumns * depth * TileRows / rows + 1 : 0;
            for (nint row = 0; row < rows; row += TileRows)
            {
                int tileRows = (int)nint.Min(TileRows, rows - row);
                next = ProductTile.Prefetch(next, share);
                if (lowerOnly && firstRow + row + tileRows <= firstColumn + column) continue;
                T* a = left + row * depth, b = right + column * depth, to = c.At(firstRow + row, firstColumn + column);
                if (tileColumns == TileColumns && c.ColumnStride == 1) MultiplyTile(depth, a, b, to, c.RowStride, tileRows, alpha, beta);
                else MultiplyEdge(depth, a, b, to, c.RowStride, c.ColumnStride, tileRows, tileColumns, alpha, beta);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyTile(nint depth, T* a, T* b, T* c, nint stride, int rows, T alpha, T beta)
    {
        if (rows > TileOfSix.Count && TileRows > TileOfSix.Count) ProductTile.Multiply<TRegister, T, TRows>(depth, a, TileRows, b, c, stride, rows, alpha, beta);
        else if (rows > TileOfFour.Count) ProductTile.Multiply<TRegister, T, TileOfSix>(depth, a, TileRows, b, c, stride, rows, alpha, beta);
        else ProductTile.Multiply<TRegister, T, TileOfFour>(depth, a, TileRows, b, c, stride, rows, alpha, beta);
    }

    // A tile that C does not fill, or whose rows are not contiguous, is worked on in a copy.
    [SkipLocalsInit]
    private static void MultiplyEdge(nint depth, T* a, T* b, T* c, nint rowStride, nint columnStride, int rows, int columns, T alpha, T beta)
    {
        T* tile = stackalloc T[TileRows * TileColumns];
        if (beta != T.Zero)
        {
            new Span<T>(tile, TileRows * TileColumns).Clear();
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < columns; j++) tile[i * TileColumns + j] = c[i * rowStride + j * columnStride];
            }
        }

        MultiplyTile(depth, a, b, tile, TileColumns, rows, alpha, beta);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++) c[i * rowStride + j * columnStride] = tile[i * TileColumns + j];
        }
    }

    // Blocks of equal height; several for each thread, because threads are seldom equally fast.
    private static nint BalancedRows(nint rows, int threads)
    {
        nint blocks = (rows + BlockRows - 1) / BlockRows;
        if (threads > 1) blocks = RoundUp(nint.Max(blocks, ProductBlocking.BlocksPerThread * threads), threads);
        return RoundUp((rows + blocks - 1) / blocks, TileRows);
    }

    // Panels of B that a thread packs in one go, and uses at once where A is small: whole pages of its rows where these are contiguous.
    private static nint Together(StridedMatrix<TSource> b, nint panels, ComputePool? pool) =>
        b.ColumnStride == 1 ? Share(panels, PanelPacking.VisitBytes / (TileColumns * sizeof(TSource)), pool) : PanelsTogether;

    // How many of so many items a thread takes at a time: as many as it likes, if all have work twice.
    private static nint Share(nint items, nint most, ComputePool? pool) => pool is null ? most : nint.Clamp(items / (2 * pool.Threads), 1, most);

    private static nint RoundUp(nint value, nint step) => (value + step - 1) / step * step;

    private static void For(ComputePool? pool, nint count, nint grain, Action<nint, nint> body)
    {
        if (pool is null) body(0, count);
        else pool.For(count, grain, body);
    }
}

/// <summary>Sizes of the blocks of a product.</summary>
internal static class ProductBlocking
{
    /// <summary>Length of the partial sums.</summary>
    public const int Depth = 256;

    /// <summary>Partial sums over which B is packed together.</summary>
    public const int DepthsTogether = 16;

    /// <summary>Most rows of A with which B is better read as it lies than packed.</summary>
    public const int StreamedRows = 16;

    /// <summary>Bytes of a cache line.</summary>
    public const int LineBytes = 64;

    /// <summary>Least number of blocks of rows for each thread.</summary>
    public const int BlocksPerThread = 4;

    /// <summary>Bytes of a packed block of A: half of a small second-level cache.</summary>
    public const int SecondLevelBytes = 256 << 10;

    /// <summary>Bytes of packed B: what the last-level cache of a core's share may hold, and the bound of what a product takes.</summary>
    public const int LastLevelBytes = 16 << 20;
}
