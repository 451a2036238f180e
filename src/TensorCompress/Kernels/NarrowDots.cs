using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// <see cref="DotProducts"/> of at most sixteen columns (heads of small models) for several tokens. A row does not fill a step, so sixteen rows lie turned beside each other and give sixteen
/// results at once; the tree over a result's products is the one that it has elsewhere, so the bits are the same.
/// </summary>
internal static unsafe class NarrowDots
{
    /// <summary>Most columns.</summary>
    public const int Columns = 16;

    private const int Rows = 16;

    /// <summary>Multiplies; one thread.</summary>
    /// <param name="weights">[rows, k], k at most <see cref="Columns"/>.</param>
    /// <param name="inputs">[tokens, k].</param>
    /// <param name="destination">[tokens, rows].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // the first prompt of a process is over before the runtime has seen it as worth its while
    public static void Multiply<TSimd, TElement>(WeightRows<TElement> weights, MatrixView<float> inputs, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TElement : unmanaged, IWeightElement<TElement>
    {
        float* row = stackalloc float[Columns], turned = stackalloc float[Columns * Rows], x = stackalloc float[Columns], last = stackalloc float[Rows]; // zeros where there is no column
        int k = (int)inputs.Columns;
        for (nint first = 0; first < weights.Count; first += Rows)
        {
            int count = (int)nint.Min(Rows, weights.Count - first);
            for (int r = 0; r < count; r++)
            {
                TElement* source = weights.First + (first + r) * weights.Stride;
                TSimd.Store(k == Columns ? TElement.Load<TSimd>(source) : DotProducts.LoadTail<TSimd, TElement>(source, k), row);
                for (int i = 0; i < k; i++) turned[i * Rows + r] = row[i];
            }

            for (nint token = 0; token < inputs.Rows; token++)
            {
                Unsafe.CopyBlockUnaligned(x, inputs.Pointer + token * inputs.Stride, (uint)(k * sizeof(float)));
                float* y = destination.Pointer + token * destination.Stride + first;
                TSimd.Store(k > Columns / 2 ? Sixteen<TSimd>(turned, x) : Eight<TSimd>(turned, x), count == Rows ? y : last);
                if (count < Rows) Unsafe.CopyBlockUnaligned(y, last, (uint)(count * sizeof(float)));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSimd Eight<TSimd>(float* turned, float* x)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd even = (Product<TSimd>(turned, x, 0) + Product<TSimd>(turned, x, 4)) + (Product<TSimd>(turned, x, 2) + Product<TSimd>(turned, x, 6));
        return even + ((Product<TSimd>(turned, x, 1) + Product<TSimd>(turned, x, 5)) + (Product<TSimd>(turned, x, 3) + Product<TSimd>(turned, x, 7)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSimd Sixteen<TSimd>(float* turned, float* x)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd even = (Pair<TSimd>(turned, x, 0) + Pair<TSimd>(turned, x, 4)) + (Pair<TSimd>(turned, x, 2) + Pair<TSimd>(turned, x, 6));
        return even + ((Pair<TSimd>(turned, x, 1) + Pair<TSimd>(turned, x, 5)) + (Pair<TSimd>(turned, x, 3) + Pair<TSimd>(turned, x, 7)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSimd Pair<TSimd>(float* turned, float* x, int i)
        where TSimd : struct, ISimd<TSimd> => Product<TSimd>(turned, x, i) + Product<TSimd>(turned, x, i + 8);

    // Added to zero as everywhere: a product of minus zero is zero.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSimd Product<TSimd>(float* turned, float* x, int i)
        where TSimd : struct, ISimd<TSimd> => TSimd.MultiplyAdd(TSimd.Load(turned + i * Rows), TSimd.Broadcast(x[i]), TSimd.Zero);
}
