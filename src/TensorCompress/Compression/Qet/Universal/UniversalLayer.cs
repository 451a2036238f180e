using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet.Universal;

/// <summary>Rotates the activations once and multiplies rows that are decoded, rotated as they are, a few at a time.</summary>
public sealed class UniversalLayer : LinearLayer
{
    private UniversalRows? _rows;

    internal UniversalLayer(UniversalRows rows)
        : base(rows.Rows, rows.Columns) => _rows = rows;

    /// <inheritdoc/>
    public override long ResidentBytes => _rows?.ByteLength ?? 0;

    private UniversalRows Rows => _rows ?? throw new ObjectDisposedException(nameof(UniversalLayer));

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        UniversalRows rows = Rows;
        using ScratchLease lease = context.Rent(input.TokenCount, InputDimension);
        MatrixView<float> rotated = lease.View;
        input.Values.CopyTo(rotated);
        context.Pool.For(rotated.Rows, 8, (rotated, rows), static (start, end, state) =>
        {
            for (nint token = start; token < end; token++) BlockHadamard.Rotate(state.rotated.Row(token), state.rows.Rotation);
        });
        RowDecodedLayer.Multiply(rows.DecodeRotated, new ActivationBatch(rotated), destination, context);
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination) => Rows.DecodeRow(row, destination);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _rows = null;
        base.Dispose(disposing);
    }
}
