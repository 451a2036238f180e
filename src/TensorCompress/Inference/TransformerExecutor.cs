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

    /// <summary>Runs one block.</summary>
    /// <param name="block">Its index.</param>
    /// <param name="residual">The residual stream, [tokens, hidden]; changed in place, unless the probe ends the block early.</param>
    /// <param name="position">Position of the first token.</param>
    /// <param name="cache">Holds earlier positions, receives these.</param>
    /// <param name="context">Threads and scratch memory.</param>
    /// <param name="probe">Looks at the activations; may be null.</param>
    public void RunBlock(int block, MatrixView<float> residual, int position, IKeyValueCache cache, ComputeContext context, ActivationProbe? probe)
    {
        using ScratchLease tables = context.Rent(residual.Rows, _tableWidth);
        FillTables(position, tables.View);
        RunBlock(block, residual, tables.View, position, cache, context, probe);
    }

    private void RunBlock(int block, MatrixView<float> residual, MatrixView<float> tables, int position, IKeyValueCache cache, ComputeContext context, ActivationProbe? probe)
    {
        BlockDefinition definition = _weights.Definition.Blocks[block];
        using ScratchLease attended = context.Rent(residual.Rows, residual.Columns);
        using ScratchLease fed = context.Rent(residual.Rows, residual.Columns);
        Attend(block, residual, attended.View, tables, position, cache, context, probe);
        if (probe?.IsDone == true) return;
        if (definition.IsParallel)
        {
            FeedForward(block, residual, fed.View, position, context, probe);
            if (probe?.IsDone == true) return;
            AddTo(residual, attended.View, definition.ResidualScale, context);
        }
        else
        {
            AddTo(residual, attended.View, definition.ResidualScale, context);
            probe?.Observe(ActivationPoint.AttentionResidual, block, position, residual);
            FeedForward(block, residual, fed.View, position, context, probe);
            if (probe?.IsDone == true) return;
        }

        AddTo(residual, fed.View, definition.ResidualScale, context);
        probe?.Observe(ActivationPoint.BlockOutput, block, position, residual);
    }

    private void Attend(
        int block, MatrixView<float> residual, MatrixView<float> update, MatrixView<float> tables, int position, IKeyValueCache cache, ComputeContext context, ActivationProbe? probe)
    {
        BlockWeights weights = _weights.Blocks[block];
        AttentionDefinition attention = _weights.Definition.Blocks[block].Attention;
        int queryWidth = attention.HeadCount * attention.HeadDimension;
        int keyWidth = attention.KeyValueHeadCount * attention.HeadDimension;
        using ScratchLease projected = context.Rent(residual.Rows, queryWidth + 2 * keyWidth);
        using ScratchLease mixed = context.Rent(residual.Rows, queryWidth);
        Normalize(weights.AttentionNorm, residual, update, context);
        probe?.Observe(ActivationPoint.AttentionNorm, block, position, update);
        if (probe?.IsDone == true) return;
        Project(weights, attention, update, projected.View, context);

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
        _attention[block].Forward(queries, cache, block, position, mixed.View, context, probe is null ? null : AttentionObserver(probe, block));
        probe?.Observe(ActivationPoint.AttentionMix, block, position, mixed.View);
        if (probe?.IsDone == true) return;
        Apply(weights.AttentionOutput, new ActivationBatch(mixed.View), update, context);
        probe?.Observe(ActivationPoint.AttentionOutput, block, position, update);
        if (weights.AttentionPostNorm is { } norm) Normalize(norm, update, update, context);
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

    private void FeedForward(int block, MatrixView<float> residual, MatrixView<float> update, int position, ComputeContext context, ActivationProbe? probe)
    {
        BlockWeights weights = _weights.Blocks[block];
        FeedForwardDefinition definition = _weights.Definition.Blocks[block].FeedForward;
        int inner = weights.Down.Layer.InputDimension;
        bool isGated = definition.IsGateFused || weights.Gate is not null;
        using ScratchLease up = context.Rent(residual.Rows, weights.Up.Layer.OutputDimension);
        using ScratchLease gate = context.Rent(weights.Gate is null ? 0 : residual.Rows, inner);
        Normalize(weights.FeedForwardNorm, residual, update, context);
        probe?.Observe(ActivationPoint.FeedForwardNorm, block, position, update);
        if (probe?.IsDone == true) return;

        var input = new ActivationBatch(update);
        Apply(weights.Up, input, up.View, context);
        probe?.Observe(ActivationPoint.FeedForwardUp, block, position, up.View);
        if (weights.Gate is not null) Apply(weights.Gate, input, gate.View, context);
        MatrixView<float> gated = definition.IsGateFused ? up.View.ColumnRange(0, inner) : gate.View;
        MatrixView<float> hidden = definition.IsGateFused ? up.View.ColumnRange(inner, inner) : up.View;
        ForRows(hidden, context, (definition.Activation, isGated, gated, hidden), static (start, end, state) =>
        {
            for (nint row = start; row < end; row++)
            {
                if (state.isGated) state.Activation.ApplyGate(state.gated.Row(row), state.hidden.Row(row));
                else state.Activation.Apply(state.hidden.Row(row));
            }
        });
        probe?.Observe(ActivationPoint.FeedForwardActivation, block, position, hidden);
        if (probe?.IsDone == true) return;
        Apply(weights.Down, new ActivationBatch(hidden), update, context);
        probe?.Observe(ActivationPoint.FeedForwardOutput, block, position, update);
        if (weights.FeedForwardPostNorm is { } norm) Normalize(norm, update, update, context);
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
