using TensorCompress.Kernels;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Layers;

/// <summary><c>y = W x</c> for float weights, weight rows split over the threads.</summary>
internal static class LinearProduct
{
    /// <summary>Rows that are worth a thread's attention.</summary>
    private const long MinimumWorkPerRange = 1 << 15;

    /// <summary>Multiplies.</summary>
    /// <param name="weights">[rows, k].</param>
    /// <param name="input">[tokens, k].</param>
    /// <param name="destination">[tokens, rows], overwritten.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    public static void Forward(MatrixView<float> weights, MatrixView<float> input, MatrixView<float> destination, ComputePool pool) =>
        pool.For(weights.Rows, RowGrain(weights.Columns, input.Rows), (weights, input, destination), static (start, end, state) =>
            DotProducts.Multiply(state.weights.RowRange(start, end - start), state.input, state.destination.ColumnRange(start, end - start)));

    /// <summary>Multiplies weights of 16 bits.</summary>
    /// <param name="weights">[rows, 2 k] bytes.</param>
    /// <param name="type">F16 or BF16.</param>
    /// <param name="input">[tokens, k].</param>
    /// <param name="destination">[tokens, rows], overwritten.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    public static void Forward(MatrixView<byte> weights, ElementType type, MatrixView<float> input, MatrixView<float> destination, ComputePool pool) =>
        pool.For(weights.Rows, RowGrain(input.Columns, input.Rows), (weights, type, input, destination), static (start, end, state) =>
            DotProducts.Multiply(state.weights.RowRange(start, end - start), state.type, state.input, state.destination.ColumnRange(start, end - start)));

    /// <summary>Rows per range, a multiple of the kernel's tile, so that a range is worth handing to a thread.</summary>
    public static nint RowGrain(nint k, nint tokens) => (nint)(MinimumWorkPerRange / Math.Max(1, (long)k * tokens) / 4 + 1) * 4;
}
