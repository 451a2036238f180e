using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo.Contraction;

/// <summary>
/// The path from the left where i_2 has fewer values than a panel has columns, as in operators that are near a product of two matrices: A's rows [(o_1 r), i_1] are contiguous, so the first product is
/// one of dot products with the input turned to [(token, i_2), i_1]; the second takes B's panels one i_2 after the other. No lane goes without use.
/// </summary>
/// <remarks>Every output is dot products over i_1 and then one chain of multiply-adds over (i_2, r): tokens and threads do not change its bits.</remarks>
internal static unsafe class NarrowProduct
{
    /// <summary>Tokens at a time, so that scratch memory does not grow with them.</summary>
    private const int TokenBlock = 64;

    /// <summary>The operands of the second product.</summary>
    private readonly record struct Operands(TwoSiteShape Shape, MatrixView<float> State, MatrixView<float> Second, MatrixView<float> Result);

    /// <summary>Multiplies; parameters as in <see cref="TwoSiteProduct.Multiply"/>.</summary>
    public static void Multiply(TwoSiteShape shape, MatrixView<float> first, MatrixView<float> second, MatrixView<float> input, MatrixView<float> result, ComputeContext context)
    {
        nint block = nint.Min(input.Rows, TokenBlock), width = (nint)shape.Outputs1 * shape.Bond;
        using ScratchLease turned = context.Rent(block * shape.Inputs2, shape.Inputs1), state = context.Rent(block * shape.Inputs2, width);
        for (nint start = 0; start < input.Rows; start += block)
        {
            nint count = nint.Min(block, input.Rows - start), rows = count * shape.Inputs2;
            MatrixView<float> turnedRows = turned.View.RowRange(0, rows), stateRows = state.View.RowRange(0, rows);
            Turn(shape, input.RowRange(start, count), turnedRows);
            LinearProduct.Forward(first.Contiguous(width, shape.Inputs1), turnedRows, stateRows, context.Pool);
            context.Pool.For(shape.Slices, 1, new Operands(shape, stateRows, second, result.RowRange(start, count)), static (first, end, on) =>
            {
                for (nint slice = first; slice < end; slice++) MultiplySlice((int)slice, on);
            });
        }
    }

    /// <summary>[token, (i_1, i_2)] as [(token, i_2), i_1].</summary>
    private static void Turn(TwoSiteShape shape, MatrixView<float> input, MatrixView<float> turned)
    {
        for (nint token = 0; token < input.Rows; token++)
        {
            ReadOnlySpan<float> source = input.Row(token);
            for (int digit = 0; digit < shape.Inputs2; digit++)
            {
                Span<float> row = turned.Row(token * shape.Inputs2 + digit);
                for (int i = 0; i < row.Length; i++) row[i] = source[i * shape.Inputs2 + digit];
            }
        }
    }

    /// <summary>y[o_1, o_2] = sum over (i_2, r) of T[i_2, o_1, r] B[r, i_2, o_2] for sixteen o_2 and all tokens.</summary>
    private static void MultiplySlice(int slice, in Operands on)
    {
        TwoSiteShape shape = on.Shape;
        int width = shape.SliceWidth(slice);
        for (int output = 0; output < shape.Outputs1; output++)
        {
            for (int digit = 0; digit < shape.Inputs2; digit++)
            {
                PanelProduct.Multiply(new PanelOperands
                {
                    A = on.State.Pointer + digit * on.State.Stride + (nint)output * shape.Bond,
                    RowStride = shape.Inputs2 * on.State.Stride,
                    DepthStride = 1,
                    Rows = on.Result.Rows,
                    Depth = shape.Bond,
                    Panel = on.Second.Pointer + shape.SliceStart(slice) + (nint)digit * width,
                    PanelStride = (nint)shape.Inputs2 * width,
                    Result = on.Result.Pointer + (nint)output * shape.Outputs2 + slice * PanelProduct.Width,
                    ResultStride = on.Result.Stride,
                    Width = width,
                    Accumulate = digit > 0,
                });
            }
        }
    }
}
