using System.Buffers;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// Adds the products of a stage behind one swap layer whose groups are narrow: a table for each pattern of swap bits of a group of the first half, and of its partner in the second, then what each row's
/// codes and swap bits choose. Groups have their turn a few at a time, so that tables stay in a cache while rows pass.
/// </summary>
internal static class SwappedLookup
{
    /// <summary>Adds W x for every vector.</summary>
    /// <param name="stage">One that <see cref="PackedStage.HasPatterns"/>.</param>
    /// <param name="x">[vectors, columns].</param>
    /// <param name="destination">[vectors, rows].</param>
    /// <param name="context">Threads and scratch memory.</param>
    public static void Add(PackedStage stage, MatrixView<float> x, MatrixView<float> destination, ComputeContext context)
    {
        for (nint token = 0, count; token < x.Rows; token += count)
        {
            count = TokenLanes.Together(x.Rows - token);
            MatrixView<float> vectors = x.RowRange(token, count), results = destination.RowRange(token, count);
            if (count > 1) AddTogether(stage, vectors, results, context);
            else AddOne(stage, vectors, results, context);
        }
    }

    private static void AddOne(PackedStage stage, MatrixView<float> x, MatrixView<float> destination, ComputeContext context)
    {
        int together = stage.PartnersTogether, length = TableProducts.TableLength(stage.Centroids);
        using ScratchLease tableLease = context.Rent(together, 2 * (nint)length << stage.GroupColumns);
        MatrixView<float> tables = tableLease.View;
        for (int first = 0; first < stage.Groups / 2; first += together)
        {
            int count = Math.Min(together, stage.Groups / 2 - first);
            context.Pool.For(count, TableLookup.Grain((long)stage.GroupNumbers << stage.GroupColumns), (stage, x, tables, first, length), static (start, end, state) =>
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
            context.Pool.For(destination.Columns, TableLookup.Grain(2L * count), (stage, tables, destination, first, count, length), static (start, end, state) => SwapPatternProducts.AddRows(
                state.stage.SwappedRows, (int)start, state.first, TokenLanes.Rows(state.tables, 0, state.count), state.length, state.destination.Row(0)[(int)start..(int)end]));
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
            context.Pool.For(count, TableLookup.Grain(2L * stage.GroupNumbers), (stage, centroids, first), static (start, end, state) =>
            {
                for (int group = (int)start; group < end; group++)
                {
                    for (int half = 0; half < 2; half++)
                        state.stage.DecodeGroup(state.first + group + half * state.stage.Groups / 2, state.centroids.Row(group)[(half * state.stage.GroupNumbers)..]);
                }
            });
            context.Pool.For(destination.Columns, TableLookup.Grain(2L * count * stage.GroupColumns * Tokens), (stage, turned, centroids, sums, first, count), static (start, end, state) =>
            {
                nint columns = 2 * (nint)state.stage.GroupColumns;
                SwapPatternProducts.AddRowsForTokens(
                    state.stage.SwappedRows, (int)start, state.first, TokenLanes.Rows(state.turned, state.first * columns, state.count * columns), TokenLanes.Rows(state.centroids, 0, state.count), state.stage.Centroids,
                    TokenLanes.Rows(state.sums, start, end - start));
            });
        }

        TokenLanes.Store(sums, destination);
    }

    // A vector's values for the pairs of columns of a group of the first half.
    private static Span<float> Pairs(PackedStage stage, MatrixView<float> x, int group) => x.Row(0).Slice(group * 2 * stage.GroupColumns, 2 * stage.GroupColumns);
}
