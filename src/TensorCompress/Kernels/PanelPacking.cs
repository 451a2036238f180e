using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels;

/// <summary>
/// Copies a block of an operand into panels: <c>width</c> lines (rows of A, columns of B) side by side, so that the elements which the product needs at
/// each k are neighbours. Floats can become doubles on the way. A last panel of fewer lines is filled up with something: what comes of it is never stored.
/// </summary>
internal static unsafe class PanelPacking
{
    /// <summary>Room behind the last panel that packing may overwrite, in elements.</summary>
    public const int Slack = 16;

    /// <summary>Bytes that are read of a row of the operand in one go, where lines are neighbours in it: a page. Rows a page or more apart cost a walk through the page tables each.</summary>
    public const int VisitBytes = 4096;

    // Such rows are asked for so many before they are copied: what lies pages apart is not foreseen by the processor.
    private const int RowsAhead = 8;

    /// <summary>Packs.</summary>
    /// <param name="source">Element of the first line at the first k.</param>
    /// <param name="lineStride">Elements between neighbouring lines.</param>
    /// <param name="depthStride">Elements between neighbouring k; one of the two strides is 1.</param>
    /// <param name="lines">Lines to pack.</param>
    /// <param name="depth">Length of each line.</param>
    /// <param name="width">Lines of a panel.</param>
    /// <param name="destination">Panels one after the other, each depth x width; <see cref="Slack"/> elements behind the last may be overwritten.</param>
    public static void Pack<TSource, T>(TSource* source, nint lineStride, nint depthStride, nint lines, nint depth, int width, T* destination)
        where TSource : unmanaged
        where T : unmanaged
    {
        if (lineStride == 1)
        {
            nint together = VisitBytes / sizeof(TSource) / width * width;
            for (nint line = 0; line < lines; line += together)
                CopyPanels(source + line, depthStride, nint.Min(together, lines - line), depth, width, destination + line * depth);
            return;
        }

        for (nint line = 0; line < lines; line += width)
            TransposePanel(source + line * lineStride, lineStride, depthStride, (int)nint.Min(width, lines - line), depth, width, destination + line * depth);
    }

    // At each k the lines are neighbours already.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyPanels<TSource, T>(TSource* source, nint depthStride, nint lines, nint depth, int width, T* destination)
        where TSource : unmanaged
        where T : unmanaged
    {
        int block = Block<T>();
        for (nint k = 0; k < depth; k++, source += depthStride)
        {
            for (nint line = 0; line < lines; line += width)
            {
                TSource* from = source + line;
                T* to = destination + line * depth + k * width;
                if (Sse.IsSupported) Sse.Prefetch0(from + RowsAhead * depthStride);
                int count = (int)nint.Min(width, lines - line), i = 0;
                for (; i <= count - block; i += block) CopyBlock(from + i, to + i);
                if (block == 8 && i <= count - 4)
                {
                    Vector128.Load((float*)(from + i)).Store((float*)(to + i));
                    i += 4;
                }

                for (; i < count; i++) to[i] = Convert<TSource, T>(from[i]);
                for (; i < width; i++) to[i] = default;
            }
        }
    }

    // Each line is contiguous: squares of registers are transposed, as many lines at a time as a square has, because lines a page's multiple apart share the few places of
    // one set of the cache. The last lines come first: a width that is no multiple of the square lets each store overwrite the beginning of the next k.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposePanel<TSource, T>(TSource* source, nint lineStride, nint depthStride, int lines, nint depth, int width, T* destination)
        where TSource : unmanaged
        where T : unmanaged
    {
        int block = Block<T>();
        nint k = 0;
        // Panels much narrower than a square would be overwritten far beyond their end, where another thread may be at work.
        if (depthStride == 1 && block > 1 && 2 * width > block)
        {
            int lastBlock = (width - 1) / block * block;
            nint whole = depth / block * block;
            for (int line = lastBlock; line >= 0; line -= block)
            {
                for (k = 0; k < whole; k += block) TransposeBlock(source + k, lineStride, line, lines - 1, destination + k * width + line, width);
            }
        }

        for (; k < depth; k++)
        {
            for (int line = 0; line < width; line++)
                destination[k * width + line] = line < lines ? Convert<TSource, T>(source[line * lineStride + k * depthStride]) : default;
        }
    }

    /// <summary>Side of the squares that are transposed in registers: 8 floats, 4 doubles; 1 without AVX.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Block<T>() => !Avx.IsSupported ? 1 : typeof(T) == typeof(float) ? 8 : 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Convert<TSource, T>(TSource value)
        where TSource : unmanaged
        where T : unmanaged =>
        typeof(TSource) == typeof(T) ? Unsafe.BitCast<TSource, T>(value) : (T)(object)(double)(float)(object)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyBlock<TSource, T>(TSource* source, T* destination)
        where TSource : unmanaged
        where T : unmanaged
    {
        if (Block<T>() == 1) *destination = Convert<TSource, T>(*source);
        else if (typeof(TSource) == typeof(T)) Vector256.Load((T*)source).Store(destination);
        else Widen((float*)source).Store((double*)destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Widen(float* source) => Avx.ConvertToVector256Double(Vector128.Load(source));

    // Lines beyond the last are read as the last again: nothing outside the operand is touched.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeBlock<TSource, T>(TSource* source, nint stride, int line, int last, T* to, nint step)
        where TSource : unmanaged
        where T : unmanaged
    {
        TSource* s0 = source + Math.Min(line, last) * stride, s1 = source + Math.Min(line + 1, last) * stride;
        TSource* s2 = source + Math.Min(line + 2, last) * stride, s3 = source + Math.Min(line + 3, last) * stride;
        if (typeof(T) == typeof(double))
        {
            if (typeof(TSource) == typeof(float)) Transpose4(Widen((float*)s0), Widen((float*)s1), Widen((float*)s2), Widen((float*)s3), (double*)to, step);
            else Transpose4(Vector256.Load((double*)s0), Vector256.Load((double*)s1), Vector256.Load((double*)s2), Vector256.Load((double*)s3), (double*)to, step);
            return;
        }

        TSource* s4 = source + Math.Min(line + 4, last) * stride, s5 = source + Math.Min(line + 5, last) * stride;
        TSource* s6 = source + Math.Min(line + 6, last) * stride, s7 = source + Math.Min(line + 7, last) * stride;
        Transpose8((float*)s0, (float*)s1, (float*)s2, (float*)s3, (float*)s4, (float*)s5, (float*)s6, (float*)s7, (float*)to, step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4(Vector256<double> r0, Vector256<double> r1, Vector256<double> r2, Vector256<double> r3, double* to, nint step)
    {
        Vector256<double> t0 = Avx.UnpackLow(r0, r1), t1 = Avx.UnpackHigh(r0, r1), t2 = Avx.UnpackLow(r2, r3), t3 = Avx.UnpackHigh(r2, r3);
        Avx.Permute2x128(t0, t2, 0x20).Store(to);
        Avx.Permute2x128(t1, t3, 0x20).Store(to + step);
        Avx.Permute2x128(t0, t2, 0x31).Store(to + 2 * step);
        Avx.Permute2x128(t1, t3, 0x31).Store(to + 3 * step);
    }

    // Halves of two lines are joined on loading (lines i and i + 4), so that two levels of shuffles inside the halves suffice.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose8(float* s0, float* s1, float* s2, float* s3, float* s4, float* s5, float* s6, float* s7, float* to, nint step)
    {
        Transpose8Half(s0, s1, s2, s3, s4, s5, s6, s7, to, step);
        Transpose8Half(s0 + 4, s1 + 4, s2 + 4, s3 + 4, s4 + 4, s5 + 4, s6 + 4, s7 + 4, to + 4 * step, step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose8Half(float* s0, float* s1, float* s2, float* s3, float* s4, float* s5, float* s6, float* s7, float* to, nint step)
    {
        Vector256<float> r0 = Join(s0, s4), r1 = Join(s1, s5), r2 = Join(s2, s6), r3 = Join(s3, s7);
        Vector256<float> t0 = Avx.UnpackLow(r0, r1), t1 = Avx.UnpackHigh(r0, r1), t2 = Avx.UnpackLow(r2, r3), t3 = Avx.UnpackHigh(r2, r3);
        Avx.Shuffle(t0, t2, 0b01_00_01_00).Store(to);
        Avx.Shuffle(t0, t2, 0b11_10_11_10).Store(to + step);
        Avx.Shuffle(t1, t3, 0b01_00_01_00).Store(to + 2 * step);
        Avx.Shuffle(t1, t3, 0b11_10_11_10).Store(to + 3 * step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Join(float* low, float* high) => Avx.InsertVector128(Vector128.Load(low).ToVector256Unsafe(), Vector128.Load(high), 1);
}
