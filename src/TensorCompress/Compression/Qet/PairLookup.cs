using System.Buffers;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// Adds the products of a stage behind one swap layer whose groups are wide: sums of pairs by look-up, differences with signs from the swap bits. Groups have their turn a few at a time, so that their
/// centroids stay in a cache while rows pass.
/// </summary>
internal static class PairLookup
{
    /// <summary>Vectors whose tables lie in a cache together.</summary>
    private const int MostTogether = 64;

    /// <summary>Adds W x for every vector.</summary>
    /// <param name="stage">Behind one swap layer.</param>
    /// <param name="x">[vectors, columns].</param>
    /// <param name="destination">[vectors, rows].</param>
    /// <param name="context">Threads and scratch memory.</param>
    public static void Add(PackedStage stage, MatrixView<float> x, MatrixView<float> destination, ComputeContext context)
    {
        int partners = stage.Groups / 2, length = PairProducts.Length(stage.GroupColumns);
        using ScratchLease sumLease = context.Rent(x.Rows, (nint)partners * length), differenceLease = context.Rent(x.Rows, (nint)partners * length);
        MatrixView<float> sums = sumLease.View, differences = differenceLease.View;
        context.Pool.For(partners, TableLookup.Grain(2L * stage.GroupColumns * x.Rows), (stage, x, sums, differences), static (start, end, state) =>
        {
            int columns = state.stage.GroupColumns, length = PairProducts.Length(columns);
            for (nint token = 0; token < state.x.Rows; token++)
            {
                Span<float> sums = state.sums.Row(token)[((int)start * length)..((int)end * length)], differences = state.differences.Row(token)[((int)start * length)..((int)end * length)];
                sums.Clear();
                differences.Clear();
                for (int group = 0; group < end - start; group++)
                    PairProducts.Halve(state.x.Row(token).Slice(((int)start + group) * 2 * columns, 2 * columns), sums.Slice(group * length, length), differences.Slice(group * length, length));
            }
        });
        if (x.Rows > TokenLanes.MostAlone) AddTogether(stage, sums, differences, destination, context);
        else for (nint vector = 0; vector < x.Rows; vector++) AddOne(stage, sums.RowRange(vector, 1), differences.RowRange(vector, 1), destination.RowRange(vector, 1), context);
    }

    private static void AddOne(PackedStage stage, MatrixView<float> sums, MatrixView<float> differences, MatrixView<float> destination, ComputeContext context)
    {
        int length = PairProducts.Length(stage.GroupColumns);
        using ScratchLease tableLease = context.Rent(stage.PartnersTogether, 2 * (nint)stage.Centroids), numberLease = context.Rent(stage.PartnersTogether, 2 * (nint)stage.Centroids * length);
        MatrixView<float> tables = tableLease.View, numbers = numberLease.View;
        for (int first = 0, count; first < stage.Groups / 2; first += count)
        {
            count = DecodeGroups(stage, first, numbers, context);
            context.Pool.For(2 * count, TableLookup.Grain((long)stage.Centroids * length), (stage, sums, numbers, tables, first, length), static (start, end, state) =>
            {
                for (int half = (int)start; half < end; half++)
                    PairProducts.Build(
                        state.sums.Row(0).Slice((state.first + half / 2) * state.length, state.length), Half(state.stage, state.numbers, half).Contiguous(1, (nint)state.stage.Centroids * state.length).Row(0),
                        state.tables.Row(half / 2).Slice(half % 2 * state.stage.Centroids, state.stage.Centroids));
            });
            context.Pool.For(destination.Columns, TableLookup.Grain(2L * count * stage.GroupColumns), (stage, differences, numbers, tables, destination, first, count, length), static (start, end, state) =>
            {
                var groups = new PairOperands(
                    state.first, state.count, state.stage.Centroids, TokenLanes.Rows(state.tables, 0, state.count), TokenLanes.Rows(state.numbers, 0, state.count), state.differences.Row(0)[(state.first * state.length)..]);
                PairProducts.AddRows(state.stage.SwappedRows, (int)start, groups, state.destination.Row(0)[(int)start..(int)end]);
            });
        }
    }

    // Vectors are the lanes: what they are multiplied by, tables and results are turned.
    private static void AddTogether(PackedStage stage, MatrixView<float> sums, MatrixView<float> differences, MatrixView<float> destination, ComputeContext context)
    {
        int length = PairProducts.Length(stage.GroupColumns), vectors = Lanes((int)sums.Rows);
        using ScratchLease turnedSumLease = context.Rent(sums.Columns, vectors), turnedDifferenceLease = context.Rent(sums.Columns, vectors), resultLease = context.Rent(destination.Columns, vectors);
        using ScratchLease tableLease = context.Rent(2 * stage.PartnersTogether * (nint)stage.Centroids, Math.Min(MostTogether, vectors)), numberLease = context.Rent(stage.PartnersTogether, 2 * (nint)stage.Centroids * length);
        MatrixView<float> turnedSums = turnedSumLease.View, turnedDifferences = turnedDifferenceLease.View, results = resultLease.View, numbers = numberLease.View;
        Turn(sums, turnedSums, context);
        Turn(differences, turnedDifferences, context);
        Turn(destination, results, context);
        for (int first = 0, count; first < stage.Groups / 2; first += count)
        {
            count = DecodeGroups(stage, first, numbers, context);
            for (int vector = 0, together; vector < vectors; vector += together)
            {
                together = Math.Min(MostTogether, vectors - vector);
                MatrixView<float> tables = tableLease.View.Contiguous(tableLease.View.Rows, together), halves = turnedSums.ColumnRange(vector, together);
                MatrixView<float> multipliers = turnedDifferences.RowRange(first * (nint)length, count * (nint)length).ColumnRange(vector, together), some = results.ColumnRange(vector, together);
                context.Pool.For(2 * count, TableLookup.Grain((long)stage.Centroids * length * together), (stage, halves, numbers, tables, first, length), static (start, end, state) =>
                {
                    nint centroids = state.stage.Centroids;
                    for (int half = (int)start; half < end; half++)
                        LaneDots.Multiply(Half(state.stage, state.numbers, half), state.halves.RowRange((state.first + half / 2) * (nint)state.length, state.length), state.tables.RowRange(half * centroids, centroids));
                });
                RowBlocks.ForEach((int)destination.Columns, count * length + together, together, (stage, multipliers, numbers, tables, some, first, count), context, static (start, rows, scratch, state) =>
                {
                    (PackedStage stage, MatrixView<float> multipliers) = (state.stage, state.multipliers);
                    MatrixView<float> signed = scratch.ColumnRange(0, multipliers.Rows), products = scratch.ColumnRange(multipliers.Rows, multipliers.Columns);
                    var groups = new PairOperands(state.first, state.count, stage.Centroids, TokenLanes.Rows(state.tables, 0, 2 * state.count * (nint)stage.Centroids), TokenLanes.Rows(state.numbers, 0, state.count), default);
                    PairProducts.Decode(stage.SwappedRows, start, groups, signed);
                    LaneDots.Multiply(signed, multipliers, products);
                    PairProducts.AddTables(stage.SwappedRows, start, groups, products, state.some.RowRange(start, rows));
                });
            }
        }

        context.Pool.For(results.Rows, 16, (destination, results), static (start, end, state) =>
        {
            for (nint vector = 0; vector < state.destination.Rows; vector++)
            {
                Span<float> values = state.destination.Row(vector);
                for (int row = (int)start; row < end; row++) values[row] = state.results.Row(row)[(int)vector];
            }
        });
    }

    // The centroids of some groups and of their partners; how many groups there was room for.
    private static int DecodeGroups(PackedStage stage, int first, MatrixView<float> numbers, ComputeContext context)
    {
        int count = Math.Min((int)numbers.Rows, stage.Groups / 2 - first);
        context.Pool.For(2 * count, TableLookup.Grain(stage.GroupNumbers), (stage, numbers, first), static (start, end, state) =>
        {
            float[] stored = ArrayPool<float>.Shared.Rent(state.stage.GroupNumbers + PairProducts.NumbersBehind);
            for (int half = (int)start; half < end; half++)
            {
                MatrixView<float> centroids = Half(state.stage, state.numbers, half);
                state.stage.DecodeGroup(state.first + half / 2 + half % 2 * (state.stage.Groups / 2), stored);
                PairProducts.Fill(stored, state.stage.GroupColumns, TokenLanes.Rows(centroids, 0, centroids.Rows));
            }

            ArrayPool<float>.Shared.Return(stored);
        });
        return count;
    }

    // [vectors, numbers] to [numbers, vectors], zeros for vectors that are missing.
    private static void Turn(MatrixView<float> source, MatrixView<float> turned, ComputeContext context) => context.Pool.For(turned.Rows, 16, (source, turned), static (start, end, state) =>
    {
        for (nint vector = 0; vector < state.turned.Columns; vector++)
        {
            ReadOnlySpan<float> values = vector < state.source.Rows ? state.source.Row(vector) : default;
            for (int row = (int)start; row < end; row++) state.turned.Row(row)[(int)vector] = values.IsEmpty ? 0 : values[row];
        }
    });

    private static int Lanes(int tokens) => PairProducts.Length(tokens);

    // The centroids of a group (even) or of its partner: [centroid, length].
    private static MatrixView<float> Half(PackedStage stage, MatrixView<float> numbers, int half) =>
        numbers.RowRange(half / 2, 1).Contiguous(2 * (nint)stage.Centroids, numbers.Columns / (2 * stage.Centroids)).RowRange(half % 2 * (nint)stage.Centroids, stage.Centroids);
}
