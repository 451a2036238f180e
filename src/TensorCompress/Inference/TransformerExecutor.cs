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
    /// <summary>Floats that are worth a thread's attention in loops over rows.</summary>
    private const int RowLoopGrain = 1 << 14;

    private readonly List<RotaryTable> _rotary = [];
    private readonly RotaryTable?[] _rotaryOfBlock;
    private readonly int _tableWidth;
    private readonly Attention[] _attention;

    public TransformerExecutor(ModelWeights weights)
    {
        _weights = weights;
        IReadOnlyList<BlockDefinition> blocks = weights.Definition.Blocks;
        _rotaryOfBlock = [.. blocks.Select(block => block.Attention.Rotary is { } rotary ? TableFor(block.Attention.HeadDimension, rotary) : null)];
        _tableWidth = _rotary.Sum(table => table.Embedding.TableWidth);
        _attention = [.. blocks.Select(block => block.Attention).Select(attention =>
            new Attention(attention.HeadCount, attention.KeyValueHeadCount, attention.HeadDimension, attention.Scale, attention.Window, attention.ScoreCap))];

        // Blocks that turn alike share the cosines and sines of a chunk.
        RotaryTable TableFor(int headDimension, RotaryDefinition rotary)
        {
            if (_rotary.Find(known => known.HeadDimension == headDimension && known.Definition == rotary) is { } shared) return shared;
            var embedding = new RotaryEmbedding(headDimension, rotary.InverseFrequencies, rotary.Pairs, rotary.Magnitude);
            var table = new RotaryTable(headDimension, rotary, embedding, _rotary.Sum(before => before.Embedding.TableWidth));
            _rotary.Add(table);
            return table;
        }
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
            using ScratchLease tables = context.Rent(chunk.Length, _tableWidth);
            Embed(chunk, position + start, residual.View);
            FillTables(position + start, tables.View);
            probe?.Observe(ActivationPoint.Embedding, -1, position + start, residual.View);
            for (int block = 0; block < _weights.Blocks.Length; block++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                RunBlock(block, residual.View, tables.View, position + start, cache, context, probe);
            }

            if (logits is null || (lastOnly && !isLast)) continue;
            int skipped = lastOnly ? chunk.Length - 1 : 0;
            ComputeLogits(residual.View.RowRange(skipped, chunk.Length - skipped), position + start + skipped, context, logits, probe, cancellationToken);
        }
    }

    /// <summary>The residual stream before the first block.</summary>
    /// <param name="tokens">Ids inside the vocabulary.</param>
    /// <param name="position">Position of the first token.</param>
    /// <param name="residual">[tokens, hidden], overwritten.</param>
    public void Embed(ReadOnlySpan<int> tokens, int position, MatrixView<float> residual)
    {
        int hidden = _weights.Definition.HiddenSize;
        for (int i = 0; i < tokens.Length; i++)
        {
            Span<float> row = residual.Row(i);
            _weights.Embedding.DecodeRow(tokens[i], row);
            if (_weights.Definition.EmbeddingScale != 1f) Scaling.Scale(row, _weights.Definition.EmbeddingScale, row);
            if (_weights.Positions.Length > 0) Elementwise.Add(row, _weights.Positions.AsSpan((position + i) * hidden, hidden), row);
        }
    }

    /// <summary>Runs a part of a block: from the place before to a place whose activations are the input of matrices, or to the block's end.</summary>
    /// <param name="stage">Where to.</param>
    /// <param name="block">Index of the block.</param>
    /// <param name="residual">The residual stream, [tokens, hidden]; outputs are added to it as the stages pass them.</param>
    /// <param name="input">Activations at the place before, [tokens, width there]; not used by the first stage.</param>
    /// <param name="output">Receives the activations, [tokens, width]; not used by the last stage.</param>
    /// <param name="position">Position of the first token.</param>
    /// <param name="cache">Holds earlier positions, receives these in the stage of attention.</param>
    /// <param name="context">Threads and scratch memory.</param>
    public void RunStage(
        BlockStage stage, int block, MatrixView<float> residual, MatrixView<float> input, MatrixView<float> output, int position, IKeyValueCache cache, ComputeContext context)
    {
        switch (stage)
        {
            case BlockStage.AttentionNorm:
                NormalizeForAttention(block, residual, output, position, context, null);
                break;
            case BlockStage.AttentionMix:
                using (ScratchLease tables = context.Rent(residual.Rows, _tableWidth))
                {
                    FillTables(position, tables.View);
                    Mix(block, input, output, tables.View, position, cache, context, null);
                }

                break;
            case BlockStage.FeedForwardNorm:
                AddAttention(block, input, residual, output, position, context, null);
                break;
            case BlockStage.FeedForwardActivation:
                Activate(block, input, output, position, context, null);
                break;
            default:
                AddFeedForward(block, input, residual, position, context, null);
                break;
        }
    }

    private void RunBlock(int block, MatrixView<float> residual, MatrixView<float> tables, int position, IKeyValueCache cache, ComputeContext context, ActivationProbe? probe)
    {
        using ScratchLease normalized = context.Rent(residual.Rows, residual.Columns);
        NormalizeForAttention(block, residual, normalized.View, position, context, probe);
        AttentionDefinition attention = _weights.Definition.Blocks[block].Attention;
        using (ScratchLease mixed = context.Rent(residual.Rows, attention.HeadCount * attention.HeadDimension))
        {
            Mix(block, normalized.View, mixed.View, tables, position, cache, context, probe);
            AddAttention(block, mixed.View, residual, normalized.View, position, context, probe);
        }

        using ScratchLease activated = context.Rent(residual.Rows, _weights.Blocks[block].Down.Layer.InputDimension);
        Activate(block, normalized.View, activated.View, position, context, probe);
        AddFeedForward(block, activated.View, residual, position, context, probe);
    }

    private void NormalizeForAttention(int block, MatrixView<float> residual, MatrixView<float> normalized, int position, ComputeContext context, ActivationProbe? probe)
    {
        Normalize(_weights.Blocks[block].AttentionNorm, residual, normalized, context);
        probe?.Observe(ActivationPoint.AttentionNorm, block, position, normalized);
    }

    private void Mix(
        int block, MatrixView<float> normalized, MatrixView<float> mixed, MatrixView<float> tables, int position, IKeyValueCache cache, ComputeContext context, ActivationProbe? probe)
    {
        BlockWeights weights = _weights.Blocks[block];
        AttentionDefinition attention = _weights.Definition.Blocks[block].Attention;
        int queryWidth = attention.HeadCount * attention.HeadDimension;
        int keyWidth = attention.KeyValueHeadCount * attention.HeadDimension;
        using ScratchLease projected = context.Rent(normalized.Rows, queryWidth + 2 * keyWidth);
        Project(weights, attention, normalized, projected.View, context);

        MatrixView<float> queries = projected.View.ColumnRange(0, queryWidth);
        MatrixView<float> keys = projected.View.ColumnRange(queryWidth, keyWidth);
        MatrixView<float> values = projected.View.ColumnRange(queryWidth + keyWidth, keyWidth);
        probe?.Observe(ActivationPoint.Queries, block, position, queries);
        probe?.Observe(ActivationPoint.Keys, block, position, keys);
        probe?.Observe(ActivationPoint.Values, block, position, values);
        NormalizeChannels(weights.QueryNorm, attention.QueryNorm, queries, context);
        NormalizeChannels(weights.KeyNorm, attention.KeyNorm, keys, context);
        if (_rotaryOfBlock[block] is { } rotary)
        {
            MatrixView<float> turned = projected.View.ColumnRange(0, queryWidth + keyWidth);
            ForRows(turned, context, (rotary.Embedding, turned, Table: rotary.Of(tables)), static (start, end, state) =>
                state.Embedding.Apply(state.turned.RowRange(start, end - start), state.Table.RowRange(start, end - start)));
        }

        cache.Store(block, position, keys, values);
        _attention[block].Forward(queries, cache, block, position, mixed, context, probe is null ? null : AttentionObserver(probe, block));
        probe?.Observe(ActivationPoint.AttentionMix, block, position, mixed);
    }

    private void AddAttention(int block, MatrixView<float> mixed, MatrixView<float> residual, MatrixView<float> normalized, int position, ComputeContext context, ActivationProbe? probe)
    {
        BlockWeights weights = _weights.Blocks[block];
        BlockDefinition definition = _weights.Definition.Blocks[block];
        using ScratchLease update = context.Rent(residual.Rows, residual.Columns);
        Apply(weights.AttentionOutput, new ActivationBatch(mixed), update.View, context);
        probe?.Observe(ActivationPoint.AttentionOutput, block, position, update.View);
        if (weights.AttentionPostNorm is { } norm) Normalize(norm, update.View, update.View, context);
        if (definition.IsParallel) Normalize(weights.FeedForwardNorm, residual, normalized, context);
        AddTo(residual, update.View, definition.ResidualScale, context);
        if (!definition.IsParallel)
        {
            probe?.Observe(ActivationPoint.AttentionResidual, block, position, residual);
            Normalize(weights.FeedForwardNorm, residual, normalized, context);
        }

        probe?.Observe(ActivationPoint.FeedForwardNorm, block, position, normalized);
    }

    private void Activate(int block, MatrixView<float> normalized, MatrixView<float> activated, int position, ComputeContext context, ActivationProbe? probe)
    {
        BlockWeights weights = _weights.Blocks[block];
        FeedForwardDefinition definition = _weights.Definition.Blocks[block].FeedForward;
        int inner = weights.Down.Layer.InputDimension;
        bool isGated = definition.IsGateFused || weights.Gate is not null;
        using ScratchLease wide = context.Rent(isGated ? normalized.Rows : 0, definition.IsGateFused ? 2 * inner : inner);
        MatrixView<float> gate = isGated ? wide.View.ColumnRange(0, inner) : activated;
        var input = new ActivationBatch(normalized);
        if (definition.IsGateFused)
        {
            Apply(weights.Up, input, wide.View, context);
            probe?.Observe(ActivationPoint.FeedForwardUp, block, position, wide.View);
            wide.View.ColumnRange(inner, inner).CopyTo(activated);
        }
        else
        {
            Apply(weights.Up, input, activated, context);
            probe?.Observe(ActivationPoint.FeedForwardUp, block, position, activated);
            if (weights.Gate is not null) Apply(weights.Gate, input, gate, context);
        }

        ForRows(activated, context, (definition.Activation, isGated, gate, activated), static (start, end, state) =>
        {
            for (nint row = start; row < end; row++)
            {
                if (state.isGated) state.Activation.ApplyGate(state.gate.Row(row), state.activated.Row(row));
                else state.Activation.Apply(state.activated.Row(row));
            }
        });
        probe?.Observe(ActivationPoint.FeedForwardActivation, block, position, activated);
    }

    private void AddFeedForward(int block, MatrixView<float> activated, MatrixView<float> residual, int position, ComputeContext context, ActivationProbe? probe)
    {
        BlockWeights weights = _weights.Blocks[block];
        using ScratchLease update = context.Rent(residual.Rows, residual.Columns);
        Apply(weights.Down, new ActivationBatch(activated), update.View, context);
        probe?.Observe(ActivationPoint.FeedForwardOutput, block, position, update.View);
        if (weights.FeedForwardPostNorm is { } norm) Normalize(norm, update.View, update.View, context);
        AddTo(residual, update.View, _weights.Definition.Blocks[block].ResidualScale, context);
        probe?.Observe(ActivationPoint.BlockOutput, block, position, residual);
    }

    // Apart, so that nothing is captured where nobody looks.
    private static Action<int, int, ReadOnlyMemory<float>> AttentionObserver(ActivationProbe probe, int block) => (head, at, row) => probe.ObserveAttention(block, head, at, row);

    // Queries, keys and values side by side, whatever the number and row order of the matrices.
    private static void Project(BlockWeights weights, AttentionDefinition attention, MatrixView<float> normalized, MatrixView<float> projected, ComputeContext context)
    {
        var input = new ActivationBatch(normalized);
        if (attention.Layout == ProjectionLayout.Heads)
        {
            using ScratchLease byHead = context.Rent(projected.Rows, projected.Columns);
            Apply(weights.Projections[0], input, byHead.View, context);
            int width = attention.HeadDimension;
            for (int head = 0; head < attention.HeadCount; head++)
            {
                for (int part = 0; part < 3; part++)
                    byHead.View.ColumnRange((3 * head + part) * width, width).CopyTo(projected.ColumnRange((part * attention.HeadCount + head) * width, width));
            }

            return;
        }

        nint column = 0;
        foreach (BiasedLinear projection in weights.Projections)
        {
            Apply(projection, input, projected.ColumnRange(column, projection.Layer.OutputDimension), context);
            column += projection.Layer.OutputDimension;
        }
    }

    private void FillTables(int position, MatrixView<float> tables)
    {
        foreach (RotaryTable table in _rotary) table.Embedding.FillTable(position, table.Of(tables));
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
            Bound(logits.View, context);
            handler(position + (int)start, logits.View);
        }
    }

    private static void Apply(BiasedLinear linear, ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        linear.Layer.Forward(input, destination, context);
        if (linear.Bias.Length == 0) return;
        ForRows(destination, context, (destination, linear.Bias), static (start, end, state) =>
        {
            for (nint row = start; row < end; row++) Elementwise.Add(state.destination.Row(row), state.Bias, state.destination.Row(row));
        });
    }

    private void Bound(MatrixView<float> logits, ComputeContext context)
    {
        (float scale, float? cap) = (_weights.Definition.LogitScale, _weights.Definition.LogitCap);
        if (scale == 1f && cap is null) return;
        ForRows(logits, context, (logits, scale, cap), static (start, end, state) =>
        {
            for (nint row = start; row < end; row++)
            {
                if (state.cap is { } bound) SoftCap.Apply(state.logits.Row(row), state.scale, bound);
                else Scaling.Scale(state.logits.Row(row), state.scale, state.logits.Row(row));
            }
        });
    }

    // Without a norm the input is taken as it is.
    private static void Normalize(NormLayer? norm, MatrixView<float> input, MatrixView<float> destination, ComputeContext context)
    {
        if (norm is null) input.CopyTo(destination);
        else ForRows(input, context, (norm, input, destination), static (start, end, state) => state.norm.Forward(state.input.RowRange(start, end - start), state.destination.RowRange(start, end - start)));
    }

    // Head by head where the norm is as wide as a head, else over all heads.
    private static void NormalizeChannels(NormLayer? norm, NormDefinition? definition, MatrixView<float> values, ComputeContext context)
    {
        if (norm is null || definition is null) return;
        ForRows(values, context, (norm, definition.Dimension, values), static (start, end, state) =>
        {
            for (nint column = 0; column < state.values.Columns; column += state.Dimension)
            {
                MatrixView<float> channels = state.values.ColumnRange(column, state.Dimension).RowRange(start, end - start);
                state.norm.Forward(channels, channels);
            }
        });
    }

    private static void AddTo(MatrixView<float> residual, MatrixView<float> update, float scale, ComputeContext context) =>
        ForRows(residual, context, (residual, update, scale), static (start, end, state) =>
        {
            for (nint row = start; row < end; row++) Scaling.AddScaled(state.update.Row(row), state.scale, state.residual.Row(row));
        });

    /// <summary>Runs a body over ranges (start and end) of rows, on several threads where there are enough floats. A body with its state, because a token passes hundreds of these loops.</summary>
    private static void ForRows<TState>(MatrixView<float> rows, ComputeContext context, TState state, Action<nint, nint, TState> body) =>
        context.Pool.For(rows.Rows, nint.Max(1, RowLoopGrain / nint.Max(1, rows.Columns)), state, body);

    /// <summary>A rotary embedding and the columns of a chunk's tables that are its.</summary>
    private sealed record RotaryTable(int HeadDimension, RotaryDefinition Definition, RotaryEmbedding Embedding, int Column)
    {
        public MatrixView<float> Of(MatrixView<float> tables) => tables.ColumnRange(Column, Embedding.TableWidth);
    }
}
