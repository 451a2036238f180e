using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet.Universal;

/// <summary>Rotates the activations once and multiplies rows, rotated as they are: decoded in registers for one token, a few at a time into a cache for more.</summary>
public sealed class UniversalLayer : LinearLayer
{
    private readonly UniversalRows _rows;

    /// <param name="rows">Given over.</param>
    internal UniversalLayer(UniversalRows rows)
        : base(rows.Rows, rows.Columns) => _rows = rows;

    /// <inheritdoc/>
    public override long ResidentBytes => _rows.ByteLength;

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        UniversalRows rows = _rows;
        using ScratchLease lease = context.Rent(input.TokenCount, rows.PaddedColumns);
        MatrixView<float> rotated = lease.View;
        context.Pool.For(rotated.Rows, 8, (input.Values, rotated, rows.Rotation), static (start, end, state) =>
        {
            for (nint token = start; token < end; token++) Rotate(state.Values.Row(token), state.rotated.Row(token), state.Rotation);
        });
        if (input.TokenCount == 1)
        {
            context.Pool.For(rows.Rows, LinearProduct.RowGrain(rows.Columns, 1), (rows, rotated, destination), static (start, end, state) =>
                state.rows.Multiply((int)start, state.rotated.Row(0), state.destination.Row(0)[(int)start..(int)end]));
            return;
        }

        RowBlocks.ForEach(rows.Rows, rows.PaddedColumns, input.TokenCount, (rows, rotated, destination), context, static (start, count, decoded, state) =>
            state.rows.Multiply(start, state.rotated, state.destination.ColumnRange(start, count), decoded));
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination) => _rows.DecodeRow(row, destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _rows.Dispose();
        base.Dispose(disposing);
    }

    private static void Rotate(ReadOnlySpan<float> values, Span<float> rotated, int width)
    {
        values.CopyTo(rotated);
        rotated[values.Length..].Clear();
        BlockHadamard.Rotate(rotated[..values.Length], width);
    }
}
