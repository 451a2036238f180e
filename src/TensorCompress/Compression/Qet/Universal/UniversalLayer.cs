using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet.Universal;

/// <summary>
/// Rotates the activations once and multiplies rows, rotated as they are: in registers for one token, decoded a few at a time into a cache for more. Rotated activations become 8-bit codes with a scale for every 256 of them, unless
/// they are to stay floats. Rows of a rate lie together, because kernels work on some rows of one rate at a time.
/// </summary>
public sealed class UniversalLayer : LinearLayer
{
    private readonly UniversalRows _rows;
    private readonly int[] _order;
    private readonly bool _takesCodes;

    /// <param name="rows">Copied.</param>
    /// <param name="options">Precision of activations.</param>
    internal UniversalLayer(UniversalRows rows, RuntimeOptions options)
        : base(rows.Rows, rows.Columns)
    {
        _order = [.. Enumerable.Range(0, rows.Rows).OrderBy(row => rows.Rates[row])]; // a stable order
        _rows = rows.InOrder(_order);
        _takesCodes = options.Activations == ActivationPrecision.Int8;
    }

    /// <inheritdoc/>
    public override long ResidentBytes => _rows.ByteLength + sizeof(int) * (long)_order.Length;

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease lease = context.Rent(input.TokenCount, _rows.PaddedColumns), resultLease = context.Rent(input.TokenCount, _rows.Rows);
        MatrixView<float> rotated = lease.View, results = resultLease.View; // by the order of the rows in memory
        context.Pool.For(rotated.Rows, 8, (input.Values, rotated, _rows.Rotation), static (start, end, state) =>
        {
            for (nint token = start; token < end; token++) Rotate(state.Values.Row(token), state.rotated.Row(token), state.Rotation);
        });
        if (_takesCodes) MultiplyCodes(rotated, results, destination, context);
        else if (input.TokenCount == 1)
            context.Pool.For(_rows.Rows, LinearProduct.RowGrain(_rows.Columns, 1), (layer: this, rotated, results, destination), static (start, end, state) =>
            {
                state.layer._rows.Multiply((int)start, state.rotated.Row(0), state.results.Row(0)[(int)start..(int)end]);
                state.layer.Place(state.results, state.destination, (int)start, (int)(end - start));
            });
        else
            RowBlocks.ForEach(_rows.Rows, _rows.PaddedColumns, input.TokenCount, (layer: this, rotated, results, destination), context, static (start, count, decoded, state) =>
            {
                state.layer._rows.Multiply(start, state.rotated, state.results.ColumnRange(start, count), decoded);
                state.layer.Place(state.results, state.destination, start, count);
            });
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination) => _rows.DecodeRow(Array.IndexOf(_order, row), destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _rows.Dispose();
        base.Dispose(disposing);
    }

    private void MultiplyCodes(MatrixView<float> rotated, MatrixView<float> results, MatrixView<float> destination, ComputeContext context)
    {
        int tokens = (int)rotated.Rows, columns = _rows.PaddedColumns;
        using ScratchLease codeLease = context.Rent(tokens, columns / sizeof(float)), scaleLease = context.Rent(tokens, CodewordByteProducts.Spans(columns));
        MatrixView<float> codes = codeLease.View, scales = scaleLease.View;
        context.Pool.For(tokens, 8, (rotated, codes, scales), static (start, end, state) =>
        {
            for (nint token = start; token < end; token++)
            {
                Span<float> values = state.rotated.Row(token);
                Span<sbyte> codes = MemoryMarshal.Cast<float, sbyte>(state.codes.Row(token));
                CodewordByteProducts.Quantize(values, codes, state.scales.Row(token));
                if (state.rotated.Rows > 1) TensorPrimitives.ConvertChecked<sbyte, float>(codes, values);
            }
        });
        if (tokens == 1)
        {
            context.Pool.For(_rows.Rows, LinearProduct.RowGrain(_rows.Columns, 1), (layer: this, codes, scales, results, destination), static (start, end, state) =>
            {
                state.layer._rows.Multiply((int)start, MemoryMarshal.Cast<float, sbyte>(state.codes.Row(0)), state.scales.Row(0), state.results.Row(0)[(int)start..(int)end]);
                state.layer.Place(state.results, state.destination, (int)start, (int)(end - start));
            });
            return;
        }

        using ScratchLease sumLease = context.Rent(2 * (nint)tokens, _rows.Rows);
        RowBlocks.ForEach(_rows.Rows, 2 * CodewordByteProducts.SpanColumns, tokens, (layer: this, rotated, scales, results, destination, sumLease.View), context, static (start, count, decoded, state) =>
        {
            state.layer._rows.Multiply(start, state.rotated, state.scales, state.results.ColumnRange(start, count), state.View.ColumnRange(start, count), decoded);
            state.layer.Place(state.results, state.destination, start, count);
        });
    }

    // From the order of the rows in memory to their own.
    private void Place(MatrixView<float> results, MatrixView<float> destination, int start, int count)
    {
        ReadOnlySpan<int> rows = _order.AsSpan(start, count);
        for (nint token = 0; token < results.Rows; token++)
        {
            ReadOnlySpan<float> source = results.Row(token).Slice(start, count);
            Span<float> target = destination.Row(token);
            for (int i = 0; i < rows.Length; i++) target[rows[i]] = source[i];
        }
    }

    private static void Rotate(ReadOnlySpan<float> values, Span<float> rotated, int width)
    {
        values.CopyTo(rotated);
        rotated[values.Length..].Clear();
        BlockHadamard.Rotate(rotated[..values.Length], width);
    }
}
