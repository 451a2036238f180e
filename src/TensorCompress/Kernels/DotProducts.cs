using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Products of models: <c>destination[t, r] = weights[r] . inputs[t]</c>, both with contiguous rows; weights of 16 bits become floats in registers.
/// Every result is sixteen running sums over k = 0, 16, 32, ... and one fixed tree, the last partial step padded with zeros: the same bits whatever tile it falls into.
/// Bound: 2 rows k / (32 flops a cycle at 512 bits, 16 x 2 at 256) for many tokens, bytes of the weights over the memory bandwidth for one.
/// </summary>
internal static unsafe class DotProducts
{
    /// <summary>Rows whose sums are taken together: four streams for the memory.</summary>
    private const int TileRows = 4;

    /// <summary>Tokens from which panels pay.</summary>
    private const int PanelTokens = 2;

    /// <summary>Multiplies; one thread.</summary>
    /// <param name="weights">[rows, k].</param>
    /// <param name="inputs">[tokens, k].</param>
    /// <param name="destination">[tokens, rows], overwritten; must not overlap the operands.</param>
    public static void Multiply(MatrixView<float> weights, MatrixView<float> inputs, MatrixView<float> destination)
    {
        ThrowIfUnfit(weights.Rows, weights.Columns, inputs, destination);
        Dispatch(new WeightRows<SingleElement>((SingleElement*)weights.Pointer, weights.Stride, weights.Rows), inputs, destination);
        weights.KeepAlive();
    }

    /// <summary>Multiplies weights of 16 bits; one thread.</summary>
    /// <param name="weights">[rows, 2 k] bytes.</param>
    /// <param name="type">F16 (finite) or BF16.</param>
    /// <param name="inputs">[tokens, k].</param>
    /// <param name="destination">[tokens, rows], overwritten; must not overlap the operands.</param>
    public static void Multiply(MatrixView<byte> weights, ElementType type, MatrixView<float> inputs, MatrixView<float> destination)
    {
        ThrowIfUnfit(weights.Rows, weights.Columns / sizeof(ushort), inputs, destination);
        if (type == ElementType.F16) Dispatch(new WeightRows<HalfElement>((HalfElement*)weights.Pointer, weights.Stride / sizeof(ushort), weights.Rows), inputs, destination);
        else if (type == ElementType.BF16) Dispatch(new WeightRows<Bfloat16Element>((Bfloat16Element*)weights.Pointer, weights.Stride / sizeof(ushort), weights.Rows), inputs, destination);
        else throw new ArgumentException($"Weights of 16 bits are F16 or BF16, not {type.Name()}.", nameof(type));
        weights.KeepAlive();
    }

    private static void Dispatch<TElement>(WeightRows<TElement> weights, MatrixView<float> inputs, MatrixView<float> destination)
        where TElement : unmanaged, IWeightElement<TElement>
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Simd512, Slice512, TElement>(weights, inputs, destination); break;
            case SimdWidth.Bits256: Core<Simd256, Slice256, TElement>(weights, inputs, destination); break;
            case SimdWidth.Bits128: Core<Simd128, Slice128, TElement>(weights, inputs, destination); break;
            default: Core<SimdScalar, SliceScalar, TElement>(weights, inputs, destination); break;
        }
    }

    internal static void Core<TSimd, TSlice, TElement>(WeightRows<TElement> weights, MatrixView<float> inputs, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TSlice : struct, ILaneSlice<TSlice>
        where TElement : unmanaged, IWeightElement<TElement>
    {
        if (inputs.Rows >= PanelTokens) DotPanels.Multiply<TSimd, TSlice, TElement>(weights, inputs, destination);
        else if (inputs.Rows == 1) OneToken<TSimd, TElement>(weights, inputs.Pointer, inputs.Columns, destination.Pointer);
        inputs.KeepAlive();
        destination.KeepAlive();
    }

    private static void OneToken<TSimd, TElement>(WeightRows<TElement> weights, float* x, nint k, float* y)
        where TSimd : struct, ISimd<TSimd>
        where TElement : unmanaged, IWeightElement<TElement>
    {
        nint row = 0;
        for (; row <= weights.Count - TileRows; row += TileRows) FourRows<TSimd, TElement>(weights.First + row * weights.Stride, weights.Stride, x, k).Store(y + row);
        for (; row < weights.Count; row++) y[row] = Dot<TSimd, TElement>(weights.First + row * weights.Stride, x, k);
    }

    private static float Dot<TSimd, TElement>(TElement* w, float* x, nint k)
        where TSimd : struct, ISimd<TSimd>
        where TElement : unmanaged, IWeightElement<TElement>
    {
        TSimd sum = TSimd.Zero;
        nint i = 0;
        for (; i <= k - 16; i += 16) sum = TSimd.MultiplyAdd(TElement.Load<TSimd>(w + i), TSimd.Load(x + i), sum);
        if (i < k) sum = TSimd.MultiplyAdd(LoadTail<TSimd, TElement>(w + i, k - i), LoadTail<TSimd, SingleElement>((SingleElement*)(x + i), k - i), sum);
        return Reduction.Sum(sum);
    }

    [SkipLocalsInit]
    private static Vector128<float> FourRows<TSimd, TElement>(TElement* w, nint stride, float* x, nint k)
        where TSimd : struct, ISimd<TSimd>
        where TElement : unmanaged, IWeightElement<TElement>
    {
        float* sums = stackalloc float[TileRows * ISimd<TSimd>.Lanes];
        nint whole = k & -ISimd<TSimd>.Lanes;
        AddSteps<TSimd, TElement>(w, stride, x, whole, sums);
        if (whole < k) AddTail<TSimd, TElement>(w + whole, stride, x + whole, k - whole, sums);
        return Reduction.Sum4(TSimd.Load(sums), TSimd.Load(sums + 16), TSimd.Load(sums + 32), TSimd.Load(sums + 48));
    }

    // Apart from the tail, whose calls would push the sums out of their registers. While four rows pass the next four are fetched: a row is over before the CPU has found its stream.
    private static void AddSteps<TSimd, TElement>(TElement* w, nint stride, float* x, nint count, float* sums)
        where TSimd : struct, ISimd<TSimd>
        where TElement : unmanaged, IWeightElement<TElement>
    {
        TElement* w1 = w + stride, w2 = w1 + stride, w3 = w2 + stride;
        TSimd s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
        for (nint i = 0; i < count; i += 16)
        {
            if (i % (CacheLine.Bytes / sizeof(TElement)) == 0)
            {
                nint ahead = TileRows * stride + i;
                CacheLine.Fetch(w + ahead);
                CacheLine.Fetch(w1 + ahead);
                CacheLine.Fetch(w2 + ahead);
                CacheLine.Fetch(w3 + ahead);
            }

            TSimd v = TSimd.Load(x + i);
            TSimd.Accumulate(ref s0, TElement.Load<TSimd>(w + i), v);
            TSimd.Accumulate(ref s1, TElement.Load<TSimd>(w1 + i), v);
            TSimd.Accumulate(ref s2, TElement.Load<TSimd>(w2 + i), v);
            TSimd.Accumulate(ref s3, TElement.Load<TSimd>(w3 + i), v);
        }

        TSimd.Store(s0, sums);
        TSimd.Store(s1, sums + 16);
        TSimd.Store(s2, sums + 32);
        TSimd.Store(s3, sums + 48);
    }

    private static void AddTail<TSimd, TElement>(TElement* w, nint stride, float* x, nint count, float* sums)
        where TSimd : struct, ISimd<TSimd>
        where TElement : unmanaged, IWeightElement<TElement>
    {
        TSimd v = LoadTail<TSimd, SingleElement>((SingleElement*)x, count);
        for (int row = 0; row < TileRows; row++, w += stride, sums += 16)
            TSimd.Store(TSimd.MultiplyAdd(LoadTail<TSimd, TElement>(w, count), v, TSimd.Load(sums)), sums);
    }

    /// <summary>Fewer than sixteen elements, zeros after them.</summary>
    internal static TSimd LoadTail<TSimd, TElement>(TElement* source, nint count)
        where TSimd : struct, ISimd<TSimd>
        where TElement : unmanaged, IWeightElement<TElement>
    {
        TElement* padded = stackalloc TElement[16]; // zero
        for (nint i = 0; i < count; i++) padded[i] = source[i];
        return TElement.Load<TSimd>(padded);
    }

    private static void ThrowIfUnfit(nint rows, nint k, MatrixView<float> inputs, MatrixView<float> destination)
    {
        if (k != inputs.Columns || destination.Rows != inputs.Rows || destination.Columns != rows)
            throw new ArgumentException($"[{rows}, {k}] weights and [{inputs.Rows}, {inputs.Columns}] inputs do not give [{destination.Rows}, {destination.Columns}].", nameof(destination));
    }
}

/// <summary>Rows of weights as they lie in memory; whoever makes it keeps the owner alive.</summary>
/// <param name="first">The first row.</param>
/// <param name="stride">Elements between the starts of neighbouring rows.</param>
/// <param name="count">Number of rows.</param>
internal readonly unsafe struct WeightRows<TElement>(TElement* first, nint stride, nint count)
    where TElement : unmanaged
{
    public readonly TElement* First = first;
    public readonly nint Stride = stride;
    public readonly nint Count = count;
}
