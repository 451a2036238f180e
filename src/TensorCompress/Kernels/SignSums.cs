using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Products of signs and floats: additions and subtractions alone. A row is a lane; its sum runs over spans of 256 columns in order, and each span's sum over its columns in order: the same bits in
/// any batch and width. Bound: four vector operations (shift, mask, sign, add) for every column and vector of rows, half an operation a weight with 256-bit vectors.
/// </summary>
internal static unsafe class SignSums
{
    private const int Lanes = SignBlocks.BlockRows, SpanColumns = 256;

    /// <summary>Multiplies for a range of row blocks; one thread.</summary>
    /// <param name="weights">[rows, columns].</param>
    /// <param name="firstBlock">First block of sixteen rows.</param>
    /// <param name="blockCount">Blocks.</param>
    /// <param name="activations">[tokens, columns].</param>
    /// <param name="destination">[tokens, rows]; the rows of the blocks are overwritten.</param>
    public static void Multiply(SignBlocks weights, int firstBlock, int blockCount, MatrixView<float> activations, MatrixView<float> destination)
    {
        if (activations.Columns != weights.Columns || destination.Rows != activations.Rows || destination.Columns != weights.Rows)
            throw new ArgumentException($"{weights.Rows} x {weights.Columns} signs and {activations.Rows} x {activations.Columns} activations do not give {destination.Rows} x {destination.Columns}.", nameof(destination));
        if (firstBlock < 0 || blockCount < 0 || firstBlock > weights.Blocks - blockCount)
            throw new ArgumentOutOfRangeException(nameof(firstBlock), firstBlock, $"{blockCount} blocks from there do not lie inside {weights.Blocks}.");
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Simd512>(weights, firstBlock, blockCount, activations, destination); break;
            case SimdWidth.Bits256: Core<Simd256>(weights, firstBlock, blockCount, activations, destination); break;
            case SimdWidth.Bits128: Core<Simd128>(weights, firstBlock, blockCount, activations, destination); break;
            default: Core<SimdScalar>(weights, firstBlock, blockCount, activations, destination); break;
        }
    }

    internal static void Core<TSimd>(SignBlocks weights, int firstBlock, int blockCount, MatrixView<float> activations, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
    {
        float* sums = stackalloc float[2 * Lanes];
        nint blockBytes = weights.Bytes.Columns;
        for (int block = firstBlock; block < firstBlock + blockCount; block += 2)
        {
            // Two blocks side by side hide the latency of additions; the last may be alone, then it is its own neighbour.
            int count = Math.Min(2, firstBlock + blockCount - block), rows = Math.Min(count * Lanes, weights.Rows - block * Lanes);
            byte* first = weights.Bytes.Pointer + block * blockBytes, second = first + (count - 1) * blockBytes;
            for (nint token = 0; token < activations.Rows; token++)
            {
                OneToken<TSimd>(weights.Layout, first, second, activations.Pointer + token * activations.Stride, weights.Columns, sums);
                new ReadOnlySpan<float>(sums, rows).CopyTo(new Span<float>(destination.Pointer + token * destination.Stride + (nint)block * Lanes, rows));
            }
        }

        GC.KeepAlive(weights);
        activations.KeepAlive();
        destination.KeepAlive();
    }

    private static void OneToken<TSimd>(SignLayout layout, byte* first, byte* second, float* x, int columns, float* results)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd total0 = TSimd.Zero, total1 = TSimd.Zero;
        ushort* words = stackalloc ushort[Lanes];
        for (int column = 0; column < columns;)
        {
            TSimd sum0 = TSimd.Zero, sum1 = TSimd.Zero;
            int spanEnd = Math.Min(column + SpanColumns, columns);
            for (; column < spanEnd; column += 8, x += 8)
            {
                TSimd bits0 = Octet<TSimd>(layout, first, column >> 3, words), bits1 = Octet<TSimd>(layout, second, column >> 3, words);
                if (spanEnd - column < 8)
                {
                    for (int c = 0; c < spanEnd - column; c++) Subtract(bits0, bits1, 31 - c, x[c], ref sum0, ref sum1);
                    continue;
                }

                Subtract(bits0, bits1, 31, x[0], ref sum0, ref sum1);
                Subtract(bits0, bits1, 30, x[1], ref sum0, ref sum1);
                Subtract(bits0, bits1, 29, x[2], ref sum0, ref sum1);
                Subtract(bits0, bits1, 28, x[3], ref sum0, ref sum1);
                Subtract(bits0, bits1, 27, x[4], ref sum0, ref sum1);
                Subtract(bits0, bits1, 26, x[5], ref sum0, ref sum1);
                Subtract(bits0, bits1, 25, x[6], ref sum0, ref sum1);
                Subtract(bits0, bits1, 24, x[7], ref sum0, ref sum1);
            }

            total0 -= sum0;
            total1 -= sum1;
        }

        TSimd.Store(total0, results);
        TSimd.Store(total1, results + Lanes);
    }

    /// <summary>Takes sign times x off both sums. A set bit, moved to the place of the sign, turns the sign of x when it is added there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Subtract<TSimd>(TSimd bits0, TSimd bits1, int shift, float x, ref TSimd sum0, ref TSimd sum1)
        where TSimd : struct, ISimd<TSimd>
    {
        TSimd sign = TSimd.Broadcast(-0f), value = TSimd.Broadcast(x);
        sum0 += TSimd.AddBits(TSimd.ShiftLeft(bits0, shift) & sign, value);
        sum1 += TSimd.AddBits(TSimd.ShiftLeft(bits1, shift) & sign, value);
    }

    /// <summary>The signs of eight columns in the lower eight bits of each row's lane; what is above them is undefined.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSimd Octet<TSimd>(SignLayout layout, byte* block, nint octet, ushort* words)
        where TSimd : struct, ISimd<TSimd>
    {
        if (layout == SignLayout.Words) return TSimd.ShiftRight(TSimd.Load((float*)(block + (octet >> 2) * SignBlocks.StepBytes)), (int)(octet & 3) * 8);
        Vector128<ushort> pairs = Vector128.Load(block + octet * SignBlocks.LaneBytes).AsUInt16();
        (pairs & Vector128.Create((ushort)255)).Store(words);
        (pairs >>> 8).Store(words + 8);
        return TSimd.LoadWords(words);
    }
}
