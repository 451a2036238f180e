using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Layers;

/// <summary>Causal scaled dot-product attention with grouped key-value heads, over an interface of the cache.</summary>
/// <remarks>A query's scores, softmax and weighted sum run over positions 0 to its own in one order, so a token's result does not depend on what is computed with it.</remarks>
/// <param name="headCount">Query heads.</param>
/// <param name="keyValueHeadCount">Key-value heads; divides the query heads.</param>
/// <param name="headDimension">Channels of a head.</param>
/// <param name="scale">Factor of the scores, usually 1/sqrt(dimension).</param>
/// <param name="window">Positions that a query sees, its own included; null for all before it.</param>
/// <param name="scoreCap">Smooth bound of the scores, <c>cap tanh(score / cap)</c>; null for none.</param>
public sealed class Attention(int headCount, int keyValueHeadCount, int headDimension, float scale, int? window = null, float? scoreCap = null)
{
    /// <summary>Queries that share a block of scores.</summary>
    private const int QueryBlock = 32;

    /// <summary>Attends.</summary>
    /// <param name="queries">[tokens, heads x dimension].</param>
    /// <param name="cache">Holds keys and values of all positions up to the last query's.</param>
    /// <param name="block">Index of the transformer block.</param>
    /// <param name="firstPosition">Position of the first query.</param>
    /// <param name="destination">[tokens, heads x dimension], overwritten.</param>
    /// <param name="context">Threads.</param>
    /// <param name="probabilities">Called with head, position and attention weights, for tests; null otherwise.</param>
    public void Forward(
        MatrixView<float> queries, IKeyValueCache cache, int block, int firstPosition, MatrixView<float> destination, ComputeContext context,
        Action<int, int, ReadOnlyMemory<float>>? probabilities = null)
    {
        nint queryBlocks = (queries.Rows + QueryBlock - 1) / QueryBlock;
        context.Pool.For(headCount * queryBlocks, 1, (start, end) =>
        {
            nint lengthMax = firstPosition + queries.Rows;
            using var scores = new Matrix<float>(nint.Min(QueryBlock, queries.Rows), lengthMax);
            for (nint item = start; item < end; item++)
            {
                // Late query blocks are the long ones: first, so that threads end together.
                int head = (int)(item % headCount);
                nint first = (queryBlocks - 1 - item / headCount) * QueryBlock;
                nint count = nint.Min(QueryBlock, queries.Rows - first);
                Attend(head, queries.RowRange(first, count), (int)(firstPosition + first), destination.RowRange(first, count), scores.View);
            }
        });

        void Attend(int head, MatrixView<float> rows, int position, MatrixView<float> results, MatrixView<float> scores)
        {
            int length = position + (int)rows.Rows;
            int keyValueHead = head / (headCount / keyValueHeadCount);
            MatrixView<float> scoreBlock = scores.RowRange(0, rows.Rows).ColumnRange(0, length);
            DotProducts.Multiply(cache.Keys(block, keyValueHead, length), rows.ColumnRange(head * headDimension, headDimension), scoreBlock);
            MatrixView<float> values = cache.Values(block, keyValueHead, length);
            for (int i = 0; i < (int)rows.Rows; i++)
            {
                int visible = position + i + 1;
                int first = window is { } width ? Math.Max(0, visible - width) : 0;
                Span<float> weights = scoreBlock.Row(i)[first..visible];
                if (scoreCap is { } cap) SoftCap.Apply(weights, scale, cap);
                Softmax.Apply(weights, scoreCap is null ? scale : 1f);
                probabilities?.Invoke(head, position + i, weights.ToArray());
                WeightedRowSum.Compute(weights, values.RowRange(first, visible - first), results.Row(i).Slice(head * headDimension, headDimension));
            }
        }
    }
}
