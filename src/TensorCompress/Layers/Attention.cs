using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Layers;

/// <summary>Causal scaled dot-product attention with grouped key-value heads, over an interface of the cache.</summary>
/// <remarks>
/// A query's scores, softmax and weighted sum run over blocks of positions from 0 to its own in one order, so a token's result does not depend on what is computed with it.
/// The query heads of a key-value head are worked on together, so keys and values are read once for all of them.
/// </remarks>
/// <param name="headCount">Query heads.</param>
/// <param name="keyValueHeadCount">Key-value heads; divides the query heads.</param>
/// <param name="headDimension">Channels of a head.</param>
/// <param name="scale">Factor of the scores, usually 1/sqrt(dimension).</param>
/// <param name="window">Positions that a query sees, its own included; null for all before it.</param>
/// <param name="scoreCap">Smooth bound of the scores, <c>cap tanh(score / cap)</c>; null for none.</param>
public sealed class Attention(int headCount, int keyValueHeadCount, int headDimension, float scale, int? window = null, float? scoreCap = null)
{
    /// <summary>Query rows (tokens times heads of a group) that are worked on together.</summary>
    private const int RowsTogether = 32;

    /// <summary>Multiplications that are worth a thread's attention.</summary>
    private const long MinimumWorkPerThread = 1 << 16;

    /// <summary>Floats of the states that blocks leave when the positions are split over threads.</summary>
    private const long MaximumStateFloats = 1 << 22;

    private readonly int _group = headCount / keyValueHeadCount;
    private readonly int _tokensPerUnit = Math.Max(1, RowsTogether / (headCount / keyValueHeadCount));

    /// <summary>Attends.</summary>
    /// <param name="queries">[tokens, heads x dimension].</param>
    /// <param name="cache">Holds keys and values of all positions up to the last query's.</param>
    /// <param name="block">Index of the transformer block.</param>
    /// <param name="firstPosition">Position of the first query.</param>
    /// <param name="destination">[tokens, heads x dimension], overwritten.</param>
    /// <param name="context">Threads and scratch memory.</param>
    /// <param name="probabilities">Called with head, position and attention weights, for tests; null otherwise.</param>
    public void Forward(
        MatrixView<float> queries, IKeyValueCache cache, int block, int firstPosition, MatrixView<float> destination, ComputeContext context,
        Action<int, int, ReadOnlyMemory<float>>? probabilities = null)
    {
        var call = new Call(queries, cache, block, firstPosition, destination);
        int units = keyValueHeadCount * (int)((queries.Rows + _tokensPerUnit - 1) / _tokensPerUnit);
        int length = firstPosition + (int)queries.Rows;
        int parts = (length + AttentionBlock.Positions - 1) / AttentionBlock.Positions;
        int threads = (int)Math.Clamp(queries.Rows * length * headCount * headDimension / MinimumWorkPerThread, 1, context.Pool.Threads);
        // Few tokens with a long past: the positions are split over the threads too.
        if (parts > 1 && threads > 1 && units < 4 * threads && (long)units * parts * RowsOfUnit(call) * StateWidth <= MaximumStateFloats) AttendInParts(call, units, parts, threads, context);
        else AttendWhole(call, units, threads, context);
        if (probabilities is not null) Tell(call, probabilities);
    }

    private void AttendWhole(Call call, int units, int threads, ComputeContext context)
    {
        int rows = RowsOfUnit(call);
        using ScratchLease scratch = context.Rent(threads * rows, 2 * StateWidth + headDimension + AttentionBlock.Positions);
        MatrixView<float> all = scratch.View;
        // Late tokens have the longest past: first, so that threads end together.
        context.Distribute(units, threads, (Attention: this, call, units, rows, all), static (thread, index, loop) =>
            loop.Attention.AttendUnit(loop.call, loop.Attention.UnitAt(loop.call, loop.units - 1 - index), loop.all.RowRange(thread * loop.rows, loop.rows)));
    }

    private void AttendUnit(Call call, Unit unit, MatrixView<float> scratch)
    {
        MatrixView<float> own = scratch.RowRange(0, unit.Rows);
        MatrixView<float> state = own.ColumnRange(0, StateWidth), next = own.ColumnRange(StateWidth, StateWidth), rest = own.ColumnRange(2 * StateWidth, own.Columns - 2 * StateWidth);
        AttendPart(call, unit, unit.FirstPart, rest, state);
        for (int part = unit.FirstPart + 1; part < unit.EndPart; part++)
        {
            AttendPart(call, unit, part, rest, next);
            AttentionBlock.Fold(next, state);
        }

        Finish(call, unit, state);
    }

    private void AttendInParts(Call call, int units, int parts, int threads, ComputeContext context)
    {
        int rows = RowsOfUnit(call);
        using ScratchLease scratch = context.Rent(threads * rows, headDimension + AttentionBlock.Positions);
        using ScratchLease states = context.Rent((nint)units * parts * rows, StateWidth);
        MatrixView<float> all = scratch.View, allStates = states.View;
        context.Distribute(units * parts, threads, (Attention: this, call, parts, rows, all, allStates), static (thread, index, loop) =>
        {
            Unit unit = loop.Attention.UnitAt(loop.call, index / loop.parts);
            int part = index % loop.parts;
            if (part >= unit.FirstPart && part < unit.EndPart)
                loop.Attention.AttendPart(loop.call, unit, part, loop.all.RowRange(thread * loop.rows, unit.Rows), loop.allStates.RowRange((nint)index * loop.rows, unit.Rows));
        });
        for (int index = 0; index < units; index++)
        {
            Unit unit = UnitAt(call, index);
            MatrixView<float> state = StateOf(unit.FirstPart);
            for (int part = unit.FirstPart + 1; part < unit.EndPart; part++) AttentionBlock.Fold(StateOf(part), state);
            Finish(call, unit, state);

            MatrixView<float> StateOf(int part) => allStates.RowRange(((nint)index * parts + part) * rows, unit.Rows);
        }
    }

    private int RowsOfUnit(Call call) => Math.Min(_tokensPerUnit, (int)call.Queries.Rows) * _group;

    private int StateWidth => headDimension + AttentionBlock.StateColumns;

    private Unit UnitAt(Call call, int index)
    {
        int first = index / keyValueHeadCount * _tokensPerUnit;
        int count = Math.Min(_tokensPerUnit, (int)call.Queries.Rows - first);
        int position = call.FirstPosition + first;
        int seen = window is { } width ? Math.Max(0, position + 1 - width) : 0;
        return new Unit(
            index % keyValueHeadCount, first, count, count * _group,
            seen / AttentionBlock.Positions, (position + count - 1) / AttentionBlock.Positions + 1);
    }

    // One block of positions for the rows of a unit; scratch is [rows, dimension + positions].
    private void AttendPart(Call call, Unit unit, int part, MatrixView<float> scratch, MatrixView<float> state)
    {
        MatrixView<float> rows = scratch.ColumnRange(0, headDimension);
        for (int row = 0; row < unit.Rows; row++) Head(call.Queries, unit, row).CopyTo(rows.Row(row));
        int position = call.FirstPosition + unit.FirstToken, start = part * AttentionBlock.Positions;
        int end = Math.Min(start + AttentionBlock.Positions, position + unit.TokenCount);
        var visibility = new BlockVisibility(_group, position, unit.TokenCount, start, end - start, window);
        AttentionBlock.Attend(
            rows, call.Cache.Keys(call.Block, unit.KeyValueHead, end).RowRange(start, end - start), call.Cache.Values(call.Block, unit.KeyValueHead, end).RowRange(start, end - start),
            visibility, scale, scoreCap, scratch.ColumnRange(headDimension, end - start), state);
    }

    private void Finish(Call call, Unit unit, MatrixView<float> state)
    {
        for (int row = 0; row < unit.Rows; row++)
        {
            Span<float> values = state.Row(row);
            Scaling.Scale(values[..headDimension], 1f / values[headDimension + 1], Head(call.Destination, unit, row));
        }
    }

    private Span<float> Head(MatrixView<float> tokens, Unit unit, int row) =>
        tokens.Row(unit.FirstToken + row / _group).Slice((unit.KeyValueHead * _group + row % _group) * headDimension, headDimension);

    // The weights once more, row by row, for who wants to see them.
    private void Tell(Call call, Action<int, int, ReadOnlyMemory<float>> probabilities)
    {
        for (int head = 0; head < headCount; head++)
        {
            for (int token = 0; token < (int)call.Queries.Rows; token++)
            {
                int position = call.FirstPosition + token;
                int first = window is { } width ? Math.Max(0, position + 1 - width) : 0;
                using var scores = new Matrix<float>(1, position + 1 - first);
                DotProducts.Multiply(
                    call.Cache.Keys(call.Block, head / _group, position + 1).RowRange(first, position + 1 - first),
                    call.Queries.RowRange(token, 1).ColumnRange(head * headDimension, headDimension), scores.View);
                if (scoreCap is { } cap) SoftCap.Apply(scores.Row(0), scale, cap);
                Softmax.Apply(scores.Row(0), scoreCap is null ? scale : 1f);
                probabilities(head, position, scores.Row(0).ToArray());
            }
        }
    }

    private sealed record Call(MatrixView<float> Queries, IKeyValueCache Cache, int Block, int FirstPosition, MatrixView<float> Destination);

    /// <summary>Some consecutive tokens with the query heads of one key-value head, and the blocks of positions that they see.</summary>
    private readonly record struct Unit(int KeyValueHead, int FirstToken, int TokenCount, int Rows, int FirstPart, int EndPart);
}
