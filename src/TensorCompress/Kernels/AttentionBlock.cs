using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Attention over one block of positions, and the fold of blocks (Milakov and Gimelshein 2018; Dao et al. 2022): per query row the weighted values, the largest scaled
/// score and the sum of the exponentials. A block begins at a multiple of <see cref="Positions"/>, so the bits of a row depend on its position alone and not on which blocks,
/// rows or threads work on it together. Rows of one key-value head (several tokens, several query heads) share every load of a key and a value.
/// </summary>
internal static class AttentionBlock
{
    /// <summary>Positions of a block: keys and values of 64 channels and the scores of 32 rows stay in the second-level cache.</summary>
    public const int Positions = 256;

    /// <summary>Columns of a state behind the weighted values: the maximum and the sum.</summary>
    public const int StateColumns = 2;

    /// <summary>Attends to one block.</summary>
    /// <param name="queries">[rows, dimension]; <paramref name="visibility"/> says which token a row belongs to.</param>
    /// <param name="keys">[positions, dimension] of the block.</param>
    /// <param name="values">[positions, dimension].</param>
    /// <param name="visibility">What each row sees of the block.</param>
    /// <param name="scale">Factor of the scores.</param>
    /// <param name="cap">Smooth bound of the scores; null for none.</param>
    /// <param name="scores">Scratch, [rows, positions].</param>
    /// <param name="state">[rows, dimension + 2], overwritten.</param>
    public static void Attend(
        MatrixView<float> queries, MatrixView<float> keys, MatrixView<float> values, BlockVisibility visibility, float scale, float? cap,
        MatrixView<float> scores, MatrixView<float> state)
    {
        DotProducts.Multiply(keys, queries, scores);
        int dimension = (int)queries.Columns;
        for (int row = 0; row < (int)queries.Rows; row++)
        {
            (int first, int end) = visibility.OfRow(row);
            Span<float> result = state.Row(row), visible = scores.Row(row)[first..end];
            result.Clear();
            result[dimension] = float.NegativeInfinity;
            if (visible.IsEmpty) continue;
            if (cap is { } bound) SoftCap.Apply(visible, scale, bound);
            float factor = cap is null ? scale : 1f, maximum = Extremes.Max(visible) * factor;
            result[dimension] = maximum;
            result[dimension + 1] = Softmax.Exponentiate(visible, factor, maximum);
        }

        Accumulate(scores, values, visibility, state.ColumnRange(0, dimension));
    }

    /// <summary>Folds the state of a later block into that of the blocks before it.</summary>
    public static void Fold(MatrixView<float> block, MatrixView<float> state)
    {
        int dimension = (int)state.Columns - StateColumns;
        Span<float> factors = stackalloc float[2];
        for (nint row = 0; row < state.Rows; row++)
        {
            Span<float> all = state.Row(row), next = block.Row(row);
            if (float.IsNegativeInfinity(next[dimension])) continue; // the row sees nothing of the block
            float maximum = MathF.Max(all[dimension], next[dimension]);
            factors[0] = all[dimension] - maximum;
            factors[1] = next[dimension] - maximum;
            Elementwise.Map<Exponential.Operation>(factors, factors);
            all[dimension] = 0; // the maxima are no sums
            next[dimension] = 0;
            Scaling.Scale(all, factors[0], all);
            Scaling.AddScaled(next, factors[1], all);
            all[dimension] = maximum;
        }
    }

    // Positions that all rows see are summed together; before and after them each token's rows go alone, in the order of positions.
    private static void Accumulate(MatrixView<float> weights, MatrixView<float> values, BlockVisibility visibility, MatrixView<float> sums)
    {
        (int firstOfAll, int endOfAll) = visibility.OfAllRows();
        for (int row = 0; row < (int)weights.Rows; row += visibility.RowsPerToken)
        {
            (int first, int end) = visibility.OfRow(row);
            Add(row, visibility.RowsPerToken, first, Math.Min(end, firstOfAll));
        }

        Add(0, (int)weights.Rows, firstOfAll, endOfAll);
        for (int row = 0; row < (int)weights.Rows; row += visibility.RowsPerToken)
        {
            (int first, int end) = visibility.OfRow(row);
            Add(row, visibility.RowsPerToken, Math.Max(first, endOfAll), end);
        }

        void Add(int row, int count, int first, int end)
        {
            if (first < end) WeightedRowSum.Add(weights.RowRange(row, count).ColumnRange(first, end - first), values.RowRange(first, end - first), sums.RowRange(row, count));
        }
    }
}

/// <summary>Which positions of a block the rows of some consecutive tokens see: their own, those before it, and not more than the window.</summary>
/// <param name="RowsPerToken">Query heads of a token that are worked on together.</param>
/// <param name="TokenPosition">Position of the first token.</param>
/// <param name="TokenCount">Tokens.</param>
/// <param name="BlockStart">First position of the block.</param>
/// <param name="BlockLength">Positions of the block that exist for the last token.</param>
/// <param name="Window">Positions that a token sees, its own included; null for all.</param>
internal readonly record struct BlockVisibility(int RowsPerToken, int TokenPosition, int TokenCount, int BlockStart, int BlockLength, int? Window)
{
    /// <summary>First and end of what a row sees, relative to the block; equal where it sees nothing.</summary>
    public (int First, int End) OfRow(int row) => OfToken(row / RowsPerToken);

    /// <summary>First and end of what all rows see; equal where there is nothing.</summary>
    public (int First, int End) OfAllRows()
    {
        int first = OfToken(TokenCount - 1).First, end = OfToken(0).End;
        return (first, Math.Max(first, end));
    }

    private (int First, int End) OfToken(int token)
    {
        int position = TokenPosition + token;
        int end = Math.Clamp(position + 1 - BlockStart, 0, BlockLength);
        int first = Window is { } width ? Math.Clamp(position + 1 - width - BlockStart, 0, BlockLength) : 0;
        return (Math.Min(first, end), end);
    }
}
