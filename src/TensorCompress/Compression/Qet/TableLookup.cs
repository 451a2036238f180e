using System.Buffers;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>Adds the products of a stage without swaps by look-up: tables of every vector with all centroids, then what each row's codes choose.</summary>
internal static class TableLookup
{
    /// <summary>Multiplications or additions that are worth a thread's attention.</summary>
    private const int MinimumWorkPerRange = 1 << 13;

    /// <summary>Adds W x for every vector.</summary>
    /// <param name="stage">Without swaps.</param>
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
        int length = TableProducts.TableLength(stage.Centroids);
        using ScratchLease tableLease = context.Rent(stage.Groups, length), sumLease = context.Rent(1, destination.Columns);
        MatrixView<float> tables = tableLease.View, sums = sumLease.View;
        context.Pool.For(stage.Groups, Grain(stage.GroupNumbers), (stage, x, tables), static (start, end, state) =>
        {
            (PackedStage stage, int columns) = (state.stage, state.stage.GroupColumns);
            float[] centroids = ArrayPool<float>.Shared.Rent(stage.GroupNumbers + TableProducts.NumbersBehind);
            for (int group = (int)start; group < end; group++)
            {
                stage.DecodeGroup(group, centroids);
                TableProducts.Build(state.x.Row(0).Slice(group * columns, columns), centroids, stage.Centroids, state.tables.Row(group));
            }

            ArrayPool<float>.Shared.Return(centroids);
        });
        context.Pool.For(destination.Columns, Grain(stage.Groups), (stage, tables, sums, destination), static (start, end, state) =>
        {
            (PackedStage stage, MatrixView<float> tables) = (state.stage, state.tables);
            Span<float> sums = state.sums.Row(0)[(int)start..(int)end];
            sums.Clear();
            for (int row = 0, count; row < sums.Length; row += count)
            {
                count = Math.Min(stage.RowsTogether, sums.Length - row);
                for (int first = 0; first < stage.Groups; first += stage.GroupsTogether)
                    TableProducts.AddRows(stage.Codes, (int)start + row, first, TokenLanes.Rows(tables, first, Math.Min(stage.GroupsTogether, stage.Groups - first)), (int)tables.Columns, sums.Slice(row, count));
            }

            Span<float> results = state.destination.Row(0)[(int)start..(int)end];
            for (int i = 0; i < sums.Length; i++) results[i] += sums[i];
        });
    }

    private static void AddTogether(PackedStage stage, MatrixView<float> x, MatrixView<float> destination, ComputeContext context)
    {
        const int Tokens = TableProducts.Tokens;
        int together = Math.Min(stage.GroupsTogether, stage.Groups);
        using ScratchLease inputLease = context.Rent(x.Columns, Tokens), tableLease = context.Rent(together, (nint)stage.Centroids * Tokens), sumLease = context.Rent(destination.Columns, Tokens);
        MatrixView<float> turned = inputLease.View, tables = tableLease.View, sums = sumLease.View;
        TokenLanes.Rows(sums, 0, sums.Rows).Clear();
        TokenLanes.Load(x, turned);
        for (int first = 0; first < stage.Groups; first += together)
        {
            int count = Math.Min(together, stage.Groups - first);
            context.Pool.For(count, Grain(stage.GroupNumbers * Tokens), (stage, turned, tables, first), static (start, end, state) =>
            {
                (PackedStage stage, int columns) = (state.stage, state.stage.GroupColumns);
                float[] centroids = ArrayPool<float>.Shared.Rent(stage.GroupNumbers);
                for (int group = (int)start; group < end; group++)
                {
                    stage.DecodeGroup(state.first + group, centroids);
                    TableProducts.BuildForTokens(TokenLanes.Rows(state.turned, (state.first + group) * (nint)columns, columns), centroids, stage.Centroids, state.tables.Row(group));
                }

                ArrayPool<float>.Shared.Return(centroids);
            });
            context.Pool.For(destination.Columns, Grain(count * Tokens), (stage, tables, sums, first, count), static (start, end, state) => TableProducts.AddRowsForTokens(
                state.stage.Codes, (int)start, state.first, TokenLanes.Rows(state.tables, 0, state.count), state.stage.Centroids, TokenLanes.Rows(state.sums, start, end - start)));
        }

        ReadOnlySpan<float> turnedBack = TokenLanes.Rows(sums, 0, sums.Rows);
        for (int token = 0; token < x.Rows; token++)
        {
            Span<float> results = destination.Row(token);
            for (int row = 0; row < results.Length; row++) results[row] += turnedBack[row * Tokens + token];
        }
    }

    /// <summary>How many items of a loop are worth a thread's attention.</summary>
    /// <param name="work">Multiplications or additions of one.</param>
    public static int Grain(long work) => (int)(MinimumWorkPerRange / work) + 1;
}
