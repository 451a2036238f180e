using System.Buffers.Binary;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Scalar;

/// <summary>Quantised weights of 4 or 8 bits, sixteen rows interleaved, multiplied as integers with 8-bit activations.</summary>
public sealed class InterleavedScalarLayer : LinearLayer
{
    /// <summary>Multiplications that are worth a thread's attention.</summary>
    private const long MinimumWorkPerRange = 1 << 17;

    private readonly CodeBlocks _blocks;

    private InterleavedScalarLayer(CodeBlocks blocks)
        : base(blocks.Rows, blocks.Columns) => _blocks = blocks;

    /// <inheritdoc/>
    public override long ResidentBytes => _blocks.ByteLength;

    /// <summary>Packs codes, or gives null where they do not lend themselves to it: other widths, groups that are no multiple of 32, or padding beyond the bound of memory.</summary>
    internal static InterleavedScalarLayer? TryPack(QuantizedRows rows)
    {
        ScalarOptions options = rows.Options;
        if (options.Bits is not (4 or 8) || !CodeBlocks.Fits(rows.Columns, options.Group)) return null;
        var blocks = new CodeBlocks(rows.Rows, rows.Columns, options.Bits, options.Group, options.Scales == ElementType.F32);
        if (blocks.ByteLength > rows.ByteLength + rows.ByteLength / 4 + (32 << 10)) return null;
        for (int row = 0; row < rows.Rows; row++) Pack(rows, row, blocks);
        return new InterleavedScalarLayer(blocks);
    }

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        ActivationCodes codes = context.Codes(input);
        nint grain = (nint)(MinimumWorkPerRange / ((long)CodeBlocks.BlockRows * InputDimension * input.TokenCount)) + 1;
        context.Pool.For(_blocks.Blocks, grain, (_blocks, codes, destination), static (start, end, state) =>
            CodeProducts.Multiply(state._blocks, (int)start, (int)(end - start), state.codes, state.destination));
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination)
    {
        (int block, int lane) = Math.DivRem(row, CodeBlocks.BlockRows);
        ReadOnlySpan<byte> bytes = _blocks.Bytes.Row(block);
        int groupColumns = _blocks.StepsPerGroup * CodeBlocks.StepColumns;
        for (int start = 0; start < destination.Length; start += groupColumns)
        {
            ReadOnlySpan<byte> header = bytes[(int)_blocks.GroupOffset(start / groupColumns)..];
            float scale = _blocks.HasWideScales ? BinaryPrimitives.ReadSingleLittleEndian(header[(4 * lane)..]) : (float)BinaryPrimitives.ReadHalfLittleEndian(header[(2 * lane)..]);
            int zero = BinaryPrimitives.ReadInt16LittleEndian(header[(_blocks.ZerosOffset + 2 * lane)..]) + ZeroOffset(_blocks.Bits);
            for (int column = start; column < Math.Min(start + groupColumns, destination.Length); column++)
            {
                (nint place, bool isUpper) = _blocks.CodePlace(lane, column);
                int code = _blocks.Bits == 8 ? bytes[(int)place] : isUpper ? bytes[(int)place] >> 4 : bytes[(int)place] & 15;
                destination[column] = scale * (code - zero);
            }
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _blocks.Dispose();
        base.Dispose(disposing);
    }

    // Integer products of bytes are those of (code - 128).
    private static int ZeroOffset(int bits) => bits == 8 ? 128 : 0;

    private static void Pack(QuantizedRows rows, int row, CodeBlocks blocks)
    {
        (int block, int lane) = Math.DivRem(row, CodeBlocks.BlockRows);
        Span<byte> bytes = blocks.Bytes.Row(block);
        for (int group = 0; group < blocks.Groups; group++)
        {
            Span<byte> header = bytes[(int)blocks.GroupOffset(group)..];
            float scale = rows.Scale(row, group);
            if (blocks.HasWideScales) BinaryPrimitives.WriteSingleLittleEndian(header[(4 * lane)..], scale);
            else BinaryPrimitives.WriteHalfLittleEndian(header[(2 * lane)..], (Half)scale);
            BinaryPrimitives.WriteInt16LittleEndian(header[(blocks.ZerosOffset + 2 * lane)..], (short)(rows.Zero(row, group) - ZeroOffset(blocks.Bits)));
        }

        ReadOnlySpan<byte> codes = rows.Codes.Row(row);
        for (int column = 0; column < rows.Columns; column += 4) // a quad lies together
        {
            (nint place, bool isUpper) = blocks.CodePlace(lane, column);
            Span<byte> quad = bytes.Slice((int)place, 4);
            int count = Math.Min(4, rows.Columns - column);
            if (blocks.Bits == 8) codes.Slice(column, count).CopyTo(quad);
            else
            {
                for (int i = 0; i < count; i++) quad[i] |= (byte)(((codes[(column + i) / 2] >> (4 * (i & 1))) & 15) << (isUpper ? 4 : 0));
            }
        }
    }
}
