using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet.Universal;

/// <summary>
/// Rotates the activations once and multiplies rows, rotated as they are: in registers for one token, decoded a few at a time into a cache for more. Rows of one word for eight columns take rotated activations as 8-bit codes, unless
/// activations are to stay floats. Rows of a rate lie together, those of fewer bits first, because kernels work on some rows of one rate at a time.
/// </summary>
public sealed class UniversalLayer : LinearLayer
{
    /// <summary>Floats between tokens' rows: a cache line, without which rows whole powers of two apart would meet in one set of a cache.</summary>
    private const int Apart = 16;

    private readonly UniversalRows _rows;
    private readonly int[] _order; // the row at each place
    private readonly int[] _places; // the place of each row
    private readonly int _codeRows;

    /// <param name="rows">Copied.</param>
    /// <param name="options">Precision of activations.</param>
    internal UniversalLayer(UniversalRows rows, RuntimeOptions options)
        : base(rows.Rows, rows.Columns)
    {
        _order = [.. Enumerable.Range(0, rows.Rows).OrderBy(row => rows.Rates[row])]; // a stable order
        _places = new int[_order.Length];
        for (int i = 0; i < _order.Length; i++) _places[_order[i]] = i;
        _rows = rows.InOrder(_order);
        _codeRows = options.Activations == ActivationPrecision.Int8 ? _rows.RowsOfCodes : 0;
    }

    /// <inheritdoc/>
    public override long ResidentBytes => _rows.ByteLength + sizeof(int) * ((long)_order.Length + _places.Length);

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease lease = context.Rent(input.TokenCount, _rows.PaddedColumns), resultLease = context.Rent(input.TokenCount, _rows.Rows + Apart);
        MatrixView<float> rotated = lease.View, results = resultLease.View; // by the order of the rows in memory
        context.Pool.For(rotated.Rows, 8, (input.Values, rotated, _rows.Rotation), static (start, end, state) =>
        {
            for (nint token = start; token < end; token++) Rotate(state.Values.Row(token), state.rotated.Row(token), state.Rotation);
        });
        if (_codeRows > 0) MultiplyCodes(rotated, results, destination, context);
        int rows = _rows.Rows - _codeRows;
        if (rows == 0) return;
        if (input.TokenCount == 1)
            context.Pool.For(rows, LinearProduct.RowGrain(_rows.Columns, 1), (layer: this, rotated, results, destination), static (start, end, state) =>
            {
                int first = state.layer._codeRows + (int)start, count = (int)(end - start);
                state.layer._rows.Multiply(first, state.rotated.Row(0), state.results.Row(0).Slice(first, count));
                state.layer.Place(state.results, state.destination, first, count);
            });
        else
            RowBlocks.ForEach(rows, _rows.PaddedColumns, input.TokenCount, (layer: this, rotated, results, destination), context, static (start, count, decoded, state) =>
            {
                int first = state.layer._codeRows + start;
                state.layer._rows.Multiply(first, state.rotated, state.results.ColumnRange(first, count), decoded);
                state.layer.Place(state.results, state.destination, first, count);
            });
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination) => _rows.DecodeRow(_places[row], destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _rows.Dispose();
        base.Dispose(disposing);
    }

    private void MultiplyCodes(MatrixView<float> rotated, MatrixView<float> results, MatrixView<float> destination, ComputeContext context)
    {
        int tokens = (int)rotated.Rows, columns = _rows.PaddedColumns;
        using ScratchLease codeLease = context.Rent(tokens, IntegerRows<sbyte>.Floats(columns) + Apart), scaleLease = context.Rent(tokens, CodewordByteProducts.Spans(columns));
        IntegerRows<sbyte> codes = new IntegerRows<sbyte>(codeLease.View).Part(tokens, 0, columns);
        MatrixView<float> scales = scaleLease.View;
        context.Pool.For(tokens, 8, (rotated, codes, scales), static (start, end, state) =>
        {
            for (nint token = start; token < end; token++) CodewordByteProducts.Quantize(state.rotated.Row(token), state.codes.Row(token), state.scales.Row(token));
        });
        if (tokens == 1)
            context.Pool.For(_codeRows, LinearProduct.RowGrain(_rows.Columns, 1), (layer: this, codes, scales, results, destination), static (start, end, state) =>
            {
                state.layer._rows.Multiply((int)start, state.codes.Row(0), state.scales.Row(0), state.results.Row(0)[(int)start..(int)end]);
                state.layer.Place(state.results, state.destination, (int)start, (int)(end - start));
            });
        else
            RowBlocks.ForEach(_codeRows, IntegerRows<short>.Floats(CodewordByteProducts.SpanColumns), tokens, (layer: this, codes, scales, results, destination), context, static (start, count, decoded, state) =>
            {
                state.layer._rows.Multiply(start, state.codes, state.scales, state.results.ColumnRange(start, count), new IntegerRows<short>(decoded));
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
