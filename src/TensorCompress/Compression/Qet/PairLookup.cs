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
    /// <summary>Rows of four vectors' results that are gathered at once.</summary>
    private const int RowsTogether = 64;

    /// <summary>Adds W x for every vector.</summary>
    /// <param name="stage">Behind one swap layer.</param>
    /// <param name="x">[vectors, columns].</param>
    /// <param name="destination">[vectors, rows].</param>
    /// <param name="context">Threads and scratch memory.</param>
    public static void Add(PackedStage stage, MatrixView<float> x, MatrixView<float> destination, ComputeContext context)
    {
        int partners = stage.Groups / 2, together = stage.PartnersTogether, length = PairProducts.Length(stage.GroupColumns);
        nint vectors = x.Rows == 1 ? 1 : (x.Rows + PairProducts.Tokens - 1) / PairProducts.Tokens * PairProducts.Tokens;
        using ScratchLease sumLease = context.Rent(vectors, (nint)partners * length), differenceLease = context.Rent(vectors, (nint)partners * length);
        using ScratchLease tableLease = context.Rent(together, 2 * (nint)stage.Centroids * PairProducts.Tokens), numberLease = context.Rent(together, 2 * (nint)stage.Centroids * length);
        MatrixView<float> sums = sumLease.View, differences = differenceLease.View, tables = tableLease.View, numbers = numberLease.View;
        context.Pool.For(partners, TableLookup.Grain(2L * stage.GroupColumns * vectors), (stage, x, sums, differences), static (start, end, state) =>
        {
            for (int group = (int)start; group < end; group++) Halve(state.stage, state.x, group, state.sums, state.differences);
        });
        for (int first = 0; first < partners; first += together)
        {
            int count = Math.Min(together, partners - first);
            context.Pool.For(count, TableLookup.Grain(2L * stage.Centroids * length), (stage, numbers, first), static (start, end, state) =>
            {
                float[] stored = ArrayPool<float>.Shared.Rent(state.stage.GroupNumbers + PairProducts.NumbersBehind);
                for (int group = (int)start; group < end; group++)
                {
                    for (int half = 0; half < 2; half++)
                    {
                        state.stage.DecodeGroup(state.first + group + half * state.stage.Groups / 2, stored);
                        PairProducts.Fill(stored, state.stage.GroupColumns, Half(state.numbers.Row(group), half));
                    }
                }

                ArrayPool<float>.Shared.Return(stored);
            });
            for (nint token = 0; token < x.Rows; token += PairProducts.Tokens)
            {
                int tokens = TokensFrom(token, x.Rows);
                context.Pool.For(count, TableLookup.Grain(2L * stage.Centroids * length * tokens), (stage, sums, numbers, tables, first, token, tokens), static (start, end, state) =>
                {
                    int length = PairProducts.Length(state.stage.GroupColumns), tokens = state.tokens, places = state.stage.Centroids * tokens;
                    Span<float> tables = TokenLanes.Rows(state.tables, 0, state.tables.Rows);
                    for (int group = (int)start; group < end; group++)
                    {
                        for (int half = 0; half < 2; half++)
                        {
                            ReadOnlySpan<float> centroids = Half(state.numbers.Row(group), half);
                            Span<float> table = tables.Slice((2 * group + half) * places, places);
                            for (int vector = 0; vector < tokens; vector++)
                                PairProducts.Build(state.sums.Row(state.token + vector).Slice((state.first + group) * length, length), centroids, state.stage.Centroids, table[vector..], tokens);
                        }
                    }
                });
                context.Pool.For(
                    destination.Columns, TableLookup.Grain(2L * count * stage.GroupColumns * tokens), (stage, differences, numbers, tables, destination, first, count, token, tokens), static (start, end, state) =>
                    {
                        int from = state.first * PairProducts.Length(state.stage.GroupColumns) * state.tokens;
                        var groups = new PairOperands(
                            state.first, state.count, state.stage.Centroids, TokenLanes.Rows(state.tables, 0, state.tables.Rows), TokenLanes.Rows(state.numbers, 0, state.count),
                            TokenLanes.Rows(state.differences, state.token, state.tokens)[from..], state.tokens);
                        MatrixView<float> results = state.destination.RowRange(state.token, nint.Min(state.tokens, state.destination.Rows - state.token));
                        if (state.tokens == 1) PairProducts.AddRows(state.stage.SwappedRows, (int)start, groups, results.Row(0)[(int)start..(int)end]);
                        else AddFour(state.stage, groups, results, (int)start, (int)end);
                    });
            }
        }
    }

    private static void AddFour(PackedStage stage, PairOperands groups, MatrixView<float> destination, int start, int end)
    {
        const int Tokens = PairProducts.Tokens;
        Span<float> lanes = stackalloc float[RowsTogether * Tokens];
        lanes.Clear();
        for (int row = start; row < end; row += RowsTogether)
        {
            int count = Math.Min(RowsTogether, end - row);
            for (int token = 0; token < destination.Rows; token++)
            {
                ReadOnlySpan<float> results = destination.Row(token).Slice(row, count);
                for (int i = 0; i < count; i++) lanes[i * Tokens + token] = results[i];
            }

            PairProducts.AddRows(stage.SwappedRows, row, groups, lanes[..(count * Tokens)]);
            for (int token = 0; token < destination.Rows; token++)
            {
                Span<float> results = destination.Row(token).Slice(row, count);
                for (int i = 0; i < count; i++) results[i] = lanes[i * Tokens + token];
            }
        }
    }

    // Sums by vector, differences as one vector or four together have them; zeros for vectors that are missing.
    private static void Halve(PackedStage stage, MatrixView<float> x, int group, MatrixView<float> sums, MatrixView<float> differences)
    {
        const int Lanes = PairProducts.Lanes;
        (int columns, int length) = (stage.GroupColumns, PairProducts.Length(stage.GroupColumns));
        float[] rented = ArrayPool<float>.Shared.Rent(length);
        Span<float> signed = rented.AsSpan(0, length);
        for (nint token = 0; token < sums.Rows; token++)
        {
            Span<float> half = sums.Row(token).Slice(group * length, length);
            half.Clear();
            signed.Clear();
            if (token < x.Rows) PairProducts.Halve(x.Row(token).Slice(group * 2 * columns, 2 * columns), half, signed);
            nint chunk = token & -PairProducts.Tokens;
            int tokens = TokensFrom(chunk, x.Rows), vector = (int)(token - chunk);
            if (vector >= tokens) continue;
            Span<float> together = TokenLanes.Rows(differences, chunk, tokens).Slice(group * length * tokens, length * tokens);
            for (int k = 0; k < length; k += Lanes) signed.Slice(k, Lanes).CopyTo(together.Slice(k * tokens + vector * Lanes, Lanes));
        }

        ArrayPool<float>.Shared.Return(rented);
    }

    // Vectors that have their turn from a multiple of four on: two or three cost little less than four.
    private static int TokensFrom(nint first, nint count) => count - first == 1 ? 1 : PairProducts.Tokens;

    // The centroids of a group or of its partner.
    private static Span<float> Half(Span<float> numbers, int half) => numbers.Slice(half * numbers.Length / 2, numbers.Length / 2);
}
