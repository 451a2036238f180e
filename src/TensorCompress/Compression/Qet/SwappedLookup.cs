using System.Buffers;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// Adds the products of a stage behind one swap layer without decoding its rows: tables of one vector for some groups of the first half and their partners in the second, then all rows by them, then the
/// next groups. Narrow groups have a table for each pattern of swap bits, wide ones take the signs of differences from them.
/// </summary>
internal static class SwappedLookup
{
    /// <summary>Vectors up to which each has tables of narrow groups of its own; sixteen together cost as much as a few.</summary>
    private const int MostAlone = 3;

    /// <summary>Multiplications or additions that are worth a thread's attention.</summary>
    private const int MinimumWorkPerRange = 1 << 13;

    /// <summary>Adds W x for every vector.</summary>
    /// <param name="stage">Behind one swap layer.</param>
    /// <param name="x">[vectors, columns].</param>
    /// <param name="destination">[vectors, rows].</param>
    /// <param name="context">Threads and scratch memory.</param>
    public static void Add(PackedStage stage, MatrixView<float> x, MatrixView<float> destination, ComputeContext context)
    {
        for (nint token = 0; token < x.Rows;)
        {
            nint count = nint.Min(TableProducts.Tokens, x.Rows - token);
            if (!stage.HasPatterns || count <= MostAlone) count = 1;
            (MatrixView<float> inputs, MatrixView<float> results) = (x.RowRange(token, count), destination.RowRange(token, count));
            if (!stage.HasPatterns) AddByDifferences(stage, inputs, results, context);
            else if (count == 1) AddByPatterns(stage, inputs, results, context);
            else AddTogether(stage, inputs, results, context);
            token += count;
        }
    }

    private static void AddByPatterns(PackedStage stage, MatrixView<float> x, MatrixView<float> destination, ComputeContext context)
    {
        int together = stage.PartnersTogether, length = TableProducts.TableLength(stage.Centroids);
        using ScratchLease tableLease = context.Rent(together, 2 * (nint)length << stage.GroupColumns);
        MatrixView<float> tables = tableLease.View;
        for (int first = 0; first < stage.Groups / 2; first += together)
        {
            int count = Math.Min(together, stage.Groups / 2 - first);
            context.Pool.For(count, Grain((long)stage.GroupNumbers << stage.GroupColumns), (stage, x, tables, first, length), static (start, end, state) =>
            {
                (PackedStage stage, int columns, int length) = (state.stage, state.stage.GroupColumns, state.length);
                float[] centroids = ArrayPool<float>.Shared.Rent(stage.GroupNumbers + TableProducts.NumbersBehind);
                Span<float> chosen = stackalloc float[SwapPatternProducts.MostColumns];
                for (int group = (int)start; group < end; group++)
                {
                    Span<float> table = state.tables.Row(group);
                    for (int half = 0; half < 2; half++)
                    {
                        stage.DecodeGroup(state.first + group + half * stage.Groups / 2, centroids);
                        for (int pattern = 0; pattern < 1 << columns; pattern++, table = table[length..])
                        {
                            SwapPatternProducts.Choose(Pairs(stage, state.x, state.first + group), pattern, half != 0, chosen[..columns]);
                            TableProducts.Build(chosen[..columns], centroids, stage.Centroids, table[..length]);
                        }
                    }
                }

                ArrayPool<float>.Shared.Return(centroids);
            });
            context.Pool.For(destination.Columns, Grain(2L * count), (stage, tables, destination, first, count, length), static (start, end, state) => SwapPatternProducts.AddRows(
                state.stage.SwappedRows, (int)start, state.first, Rows(state.tables, 0, state.count), state.length, state.destination.Row(0)[(int)start..(int)end]));
        }
    }

    private static void AddTogether(PackedStage stage, MatrixView<float> x, MatrixView<float> destination, ComputeContext context)
    {
        const int Tokens = TableProducts.Tokens;
        int together = stage.PartnersTogether;
        using ScratchLease inputLease = context.Rent(x.Columns, Tokens), centroidLease = context.Rent(together, 2 * (nint)stage.GroupNumbers), sumLease = context.Rent(destination.Columns, Tokens);
        MatrixView<float> turned = inputLease.View, centroids = centroidLease.View, sums = sumLease.View;
        TokenLanes.Load(x, turned);
        TokenLanes.Load(destination, sums);
        for (int first = 0; first < stage.Groups / 2; first += together)
        {
            int count = Math.Min(together, stage.Groups / 2 - first);
            context.Pool.For(count, Grain(2L * stage.GroupNumbers), (stage, centroids, first), static (start, end, state) =>
            {
                for (int group = (int)start; group < end; group++)
                {
                    for (int half = 0; half < 2; half++)
                        state.stage.DecodeGroup(state.first + group + half * state.stage.Groups / 2, state.centroids.Row(group)[(half * state.stage.GroupNumbers)..]);
                }
            });
            context.Pool.For(destination.Columns, Grain(2L * count * stage.GroupColumns * Tokens), (stage, turned, centroids, sums, first, count), static (start, end, state) =>
            {
                nint columns = 2 * (nint)state.stage.GroupColumns;
                SwapPatternProducts.AddRowsForTokens(
                    state.stage.SwappedRows, (int)start, state.first, Rows(state.turned, state.first * columns, state.count * columns), Rows(state.centroids, 0, state.count), state.stage.Centroids,
                    Rows(state.sums, start, end - start));
            });
        }

        TokenLanes.Store(sums, destination);
    }

    private static void AddByDifferences(PackedStage stage, MatrixView<float> x, MatrixView<float> destination, ComputeContext context)
    {
        int together = stage.PartnersTogether, length = PairProducts.Length(stage.GroupColumns);
        using ScratchLease halfLease = context.Rent(stage.Groups, length), sumLease = context.Rent(together, 2 * stage.Centroids), differenceLease = context.Rent(together, 2 * (nint)stage.Centroids * length);
        MatrixView<float> halves = halfLease.View, sums = sumLease.View, differences = differenceLease.View;
        for (int group = 0; group < stage.Groups / 2; group++)
        {
            Span<float> half = halves.Row(2 * group), signed = halves.Row(2 * group + 1);
            half.Clear();
            signed.Clear();
            PairProducts.Halve(Pairs(stage, x, group), half, signed);
        }

        for (int first = 0; first < stage.Groups / 2; first += together)
        {
            int count = Math.Min(together, stage.Groups / 2 - first);
            context.Pool.For(count, Grain(4L * stage.GroupNumbers), (stage, halves, sums, differences, first), static (start, end, state) =>
            {
                (PackedStage stage, int numbers) = (state.stage, (int)state.differences.Columns / 2);
                float[] centroids = ArrayPool<float>.Shared.Rent(stage.GroupNumbers + PairProducts.NumbersBehind);
                centroids.AsSpan(stage.GroupNumbers, PairProducts.NumbersBehind).Clear();
                for (int group = (int)start; group < end; group++)
                {
                    nint pairs = 2 * (state.first + (nint)group);
                    for (int half = 0; half < 2; half++)
                    {
                        stage.DecodeGroup(state.first + group + half * stage.Groups / 2, centroids);
                        PairProducts.Build(
                            state.halves.Row(pairs), state.halves.Row(pairs + 1), centroids, stage.GroupColumns, state.sums.Row(group).Slice(half * stage.Centroids, stage.Centroids),
                            state.differences.Row(group).Slice(half * numbers, numbers));
                    }
                }

                ArrayPool<float>.Shared.Return(centroids);
            });
            context.Pool.For(destination.Columns, Grain(2L * count * stage.GroupColumns), (stage, sums, differences, destination, first, count), static (start, end, state) => PairProducts.AddRows(
                state.stage.SwappedRows, (int)start, state.first, Rows(state.sums, 0, state.count), Rows(state.differences, 0, state.count), state.stage.Centroids, state.destination.Row(0)[(int)start..(int)end]));
        }
    }

    // A vector's values for the pairs of columns of a group of the first half.
    private static Span<float> Pairs(PackedStage stage, MatrixView<float> x, int group) => x.Row(0).Slice(group * 2 * stage.GroupColumns, 2 * stage.GroupColumns);

    private static int Grain(long work) => (int)(MinimumWorkPerRange / work) + 1;

    private static Span<float> Rows(MatrixView<float> matrix, nint start, nint count) => TokenLanes.Rows(matrix, start, count);
}
