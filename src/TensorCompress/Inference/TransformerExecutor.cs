using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Tensors;

namespace TensorCompress.Inference;

/// <summary>Receives logits [positions, vocabulary] of consecutive positions; the view is valid during the call only.</summary>
public delegate void LogitsHandler(int firstPosition, MatrixView<float> logits);

/// <summary>Runs a <see cref="ModelDefinition"/> over tokens: prefill and decode are the same code with many or one token.</summary>
internal sealed class TransformerExecutor
{
    /// <summary>Tokens that pass the blocks together: bounds the scratch memory of a prefill.</summary>
    private const int ChunkTokens = 256;

    /// <summary>Bytes of logits that exist at a time.</summary>
    private const int LogitsBytes = 16 << 20;

    private readonly ModelWeights _weights;
    private readonly RotaryEmbedding?[] _rotary;
    private readonly Attention[] _attention;

    public TransformerExecutor(ModelWeights weights)
    {
        _weights = weights;
        IReadOnlyList<BlockDefinition> blocks = weights.Definition.Blocks;
        _rotary = [.. blocks.Select(block => block.Attention.Rotary is { } rotary ? new RotaryEmbedding(block.Attention.HeadDimension, rotary.Theta, rotary.Pairs) : null)];
        _attention = [.. blocks.Select(block => block.Attention).Select(attention =>
            new Attention(attention.HeadCount, attention.KeyValueHeadCount, attention.HeadDimension, attention.Scale))];
    }

    /// <summary>Runs tokens at consecutive positions.</summary>
    /// <param name="tokens">Ids inside the vocabulary.</param>
    /// <param name="position">Position of the first token; earlier positions are in the cache.</param>
    /// <param name="cache">Receives keys and values.</param>
    /// <param name="context">Threads and scratch memory.</param>
    /// <param name="logits">Receives logits of every position, or (with <paramref name="lastOnly"/>) of the last; null for none.</param>
    /// <param name="lastOnly">Whether only the last position's logits are wanted.</param>
    /// <param name="probe">Looks at the activations; may be null.</param>
    /// <param name="cancellationToken">Looked at between blocks.</param>
    public void Run(
        ReadOnlySpan<int> tokens, int position, IKeyValueCache cache, ComputeContext context, LogitsHandler? logits, bool lastOnly,
        ActivationProbe? probe, CancellationToken cancellationToken)
    {
        cache.Reserve(position + tokens.Length);
        for (int start = 0; start < tokens.Length; start += ChunkTokens)
        {
            ReadOnlySpan<int> chunk = tokens.Slice(start, Math.Min(ChunkTokens, tokens.Length - start));
            bool isLast = start + chunk.Length == tokens.Length;
            using ScratchLease residual = context.Rent(chunk.Length, _weights.Definition.HiddenSize);
            Embed(chunk, position + start, residual.View);
            probe?.Observe(ActivationPoint.Embedding, -1, position + start, residual.View);
            for (int block = 0; block < _weights.Blocks.Length; block++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Attend(block, residual.View, position + start, cache, context, probe);
                FeedForward(block, residual.View, position + start, context, probe);
            }

            if (logits is null || (lastOnly && !isLast)) continue;
            int skipped = lastOnly ? chunk.Length - 1 : 0;
            ComputeLogits(residual.View.RowRange(skipped, chunk.Length - skipped), position + start + skipped, context, logits, probe, cancellationToken);
        }
    }

    private void Embed(ReadOnlySpan<int> tokens, int position, MatrixView<float> residual)
    {
        int hidden = _weights.Definition.HiddenSize;
        for (int i = 0; i < tokens.Length; i++)
        {
            Span<float> row = residual.Row(i);
            _weights.Embedding.DecodeRow(tokens[i], row);
            if (_weights.Positions.Length > 0) Elementwise.Add(row, _weights.Positions.AsSpan((position + i) * hidden, hidden), row);
        }
    }

    private void Attend(int block, MatrixView<float> residual, int position, IKeyValueCache cache, ComputeContext context, ActivationProbe? probe)
    {
        BlockWeights weights = _weights.Blocks[block];
        AttentionDefinition attention = _weights.Definition.Blocks[block].Attention;
        int queryWidth = attention.HeadCount * attention.HeadDimension;
        int keyWidth = attention.KeyValueHeadCount * attention.HeadDimension;
        using ScratchLease normalized = context.Rent(residual.Rows, residual.Columns);
        using ScratchLease projected = context.Rent(residual.Rows, queryWidth + 2 * keyWidth);
        using ScratchLease mixed = context.Rent(residual.Rows, queryWidth);
        Normalize(weights.AttentionNorm, residual, normalized.View, context);
        probe?.Observe(ActivationPoint.AttentionNorm, block, position, normalized.View);

        var input = new ActivationBatch(normalized.View);
        nint column = 0;
        foreach (BiasedLinear projection in weights.Projections)
        {
            Apply(projection, input, projected.View.ColumnRange(column, projection.Layer.OutputDimension), context);
            column += projection.Layer.OutputDimension;
        }

        MatrixView<float> queries = projected.View.ColumnRange(0, queryWidth);
        MatrixView<float> keys = projected.View.ColumnRange(queryWidth, keyWidth);
        MatrixView<float> values = projected.View.ColumnRange(queryWidth + keyWidth, keyWidth);
        probe?.Observe(ActivationPoint.Queries, block, position, queries);
        probe?.Observe(ActivationPoint.Keys, block, position, keys);
        probe?.Observe(ActivationPoint.Values, block, position, values);
        if (_rotary[block] is { } rotary)
        {
            rotary.Apply(queries, position);
            rotary.Apply(keys, position);
        }

        cache.Store(block, position, keys, values);
        _attention[block].Forward(
            queries, cache, block, position, mixed.View, context,
            probe is null ? null : (head, at, row) => probe.ObserveAttention(block, head, at, row));
        probe?.Observe(ActivationPoint.AttentionMix, block, position, mixed.View);
        Apply(weights.AttentionOutput, new ActivationBatch(mixed.View), normalized.View, context);
        probe?.Observe(ActivationPoint.AttentionOutput, block, position, normalized.View);
        AddTo(residual, normalized.View);
        probe?.Observe(ActivationPoint.AttentionResidual, block, position, residual);
    }

    private void FeedForward(int block, MatrixView<float> residual, int position, ComputeContext context, ActivationProbe? probe)
    {
        BlockWeights weights = _weights.Blocks[block];
        ActivationFunction activation = _weights.Definition.Blocks[block].FeedForward.Activation;
        using ScratchLease normalized = context.Rent(residual.Rows, residual.Columns);
        using ScratchLease up = context.Rent(residual.Rows, weights.Up.Layer.OutputDimension);
        using ScratchLease gate = context.Rent(weights.Gate is null ? 0 : residual.Rows, weights.Up.Layer.OutputDimension);
        Normalize(weights.FeedForwardNorm, residual, normalized.View, context);
        probe?.Observe(ActivationPoint.FeedForwardNorm, block, position, normalized.View);

        var input = new ActivationBatch(normalized.View);
        Apply(weights.Up, input, up.View, context);
        probe?.Observe(ActivationPoint.FeedForwardUp, block, position, up.View);
        MatrixView<float> hidden = up.View;
        MatrixView<float> gated = gate.View;
        if (weights.Gate is not null) Apply(weights.Gate, input, gated, context);
        bool isGated = weights.Gate is not null;
        context.Pool.For(hidden.Rows, 8, (start, end) =>
        {
            for (nint row = start; row < end; row++)
            {
                Span<float> values = hidden.Row(row);
                activation.Apply(isGated ? gated.Row(row) : values);
                if (isGated) Elementwise.Multiply(gated.Row(row), values, values);
            }
        });
        probe?.Observe(ActivationPoint.FeedForwardActivation, block, position, hidden);
        Apply(weights.Down, new ActivationBatch(hidden), normalized.View, context);
        probe?.Observe(ActivationPoint.FeedForwardOutput, block, position, normalized.View);
        AddTo(residual, normalized.View);
        probe?.Observe(ActivationPoint.BlockOutput, block, position, residual);
    }

    private void ComputeLogits(
        MatrixView<float> residual, int position, ComputeContext context, LogitsHandler handler, ActivationProbe? probe, CancellationToken cancellationToken)
    {
        int vocabulary = _weights.Definition.VocabularySize;
        using ScratchLease normalized = context.Rent(residual.Rows, residual.Columns);
        Normalize(_weights.FinalNorm, residual, normalized.View, context);
        probe?.Observe(ActivationPoint.FinalNorm, -1, position, normalized.View);
        nint rowsAtATime = Math.Clamp(LogitsBytes / (vocabulary * sizeof(float)), 1, ChunkTokens);
        for (nint start = 0; start < residual.Rows; start += rowsAtATime)
        {
            cancellationToken.ThrowIfCancellationRequested();
            nint count = nint.Min(rowsAtATime, residual.Rows - start);
            using ScratchLease logits = context.Rent(count, vocabulary);
            Apply(new BiasedLinear(_weights.Head, _weights.HeadBias), new ActivationBatch(normalized.View.RowRange(start, count)), logits.View, context);
            handler(position + (int)start, logits.View);
        }
    }

    private static void Apply(BiasedLinear linear, ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        linear.Layer.Forward(input, destination, context);
        if (linear.Bias.Length == 0) return;
        for (nint row = 0; row < destination.Rows; row++) Elementwise.Add(destination.Row(row), linear.Bias, destination.Row(row));
    }

    private static void Normalize(NormLayer norm, MatrixView<float> input, MatrixView<float> destination, ComputeContext context) =>
        context.Pool.For(input.Rows, 32, (start, end) => norm.Forward(input.RowRange(start, end - start), destination.RowRange(start, end - start)));

    private static void AddTo(MatrixView<float> residual, MatrixView<float> update)
    {
        for (nint row = 0; row < residual.Rows; row++) Elementwise.Add(residual.Row(row), update.Row(row), residual.Row(row));
    }
}
