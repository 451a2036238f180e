using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Products of signs and 8-bit activations by integer multiplication: VPMADDUBSW, or VPDPBUSD where AVX-VNNI is all there is. For few rows: <see cref="SignProducts"/> takes a third of the operations, but its tables come first.
/// Per row and span of 256 columns the sum of integers is exact; <c>y = y + sum x scale</c> over the spans in order, times the row's factor at the end: the same bits in any batch and width.
/// </summary>
/// <remarks>
/// A bit stays where it is in its nibble: a set one stands for 1, 2, 4 or 8, each with sums of its own, that are divided at the end of a span. In 16 bits a sum grows by 2 x 8 x 127 = 2032 a step and half, 32512 in a span of eight
/// steps. A step of 64 bytes (512 signs) takes a load, two operations for the upper nibbles, and a mask, a multiplication and an addition for each of eight bits: 27, 19 with VPDPBUSD; twice as many in 256 bits. Signs are
/// 2 bit - 1, so a sum is twice that of the set bits less that of the codes.
/// </remarks>
internal static unsafe class SignCodeProducts
{
    private const int Lanes = SignBlocks.BlockRows, SpanSteps = SignCodes.SpanColumns / SignBlocks.StepColumns;

    /// <summary>Multiplies for a range of row blocks; one thread.</summary>
    /// <param name="weights">[rows, columns], in the order <see cref="SignLayout.Words"/>.</param>
    /// <param name="firstBlock">First block of sixteen rows.</param>
    /// <param name="blockCount">Blocks.</param>
    /// <param name="activations">[tokens, columns].</param>
    /// <param name="rowScales">A factor for each row, or none.</param>
    /// <param name="destination">[tokens, rows]; the rows of the blocks are overwritten.</param>
    public static void Multiply(SignBlocks weights, int firstBlock, int blockCount, SignCodes activations, ReadOnlySpan<float> rowScales, MatrixView<float> destination)
    {
        if (activations.Columns != weights.Columns || destination.Rows != activations.TokenCount || destination.Columns != weights.Rows || weights.Layout != SignLayout.Words)
            throw new ArgumentException($"{weights.Rows} x {weights.Columns} signs in the order {weights.Layout} and codes of {activations.TokenCount} x {activations.Columns} do not give {destination.Rows} x {destination.Columns}.", nameof(destination));
        if (firstBlock < 0 || blockCount < 0 || firstBlock > weights.Blocks - blockCount)
            throw new ArgumentOutOfRangeException(nameof(firstBlock), firstBlock, $"{blockCount} blocks from there do not lie inside {weights.Blocks}.");
        if (!rowScales.IsEmpty && rowScales.Length != weights.Rows) throw new ArgumentException($"{weights.Rows} rows do not have {rowScales.Length} factors.", nameof(rowScales));
        switch (CodeProducts.Choose(SimdLevel.Active, AvxVnni.IsSupported, 4))
        {
            case IntegerKernel.Bytes512: Core<Simd512, ByteSimd512>(weights, firstBlock, blockCount, activations, rowScales, destination); break;
            case IntegerKernel.Vnni256: Core<Simd256, ByteSimdVnni>(weights, firstBlock, blockCount, activations, rowScales, destination); break;
            case IntegerKernel.Bytes256: Core<Simd256, ByteSimd256>(weights, firstBlock, blockCount, activations, rowScales, destination); break;
            case IntegerKernel.Bytes128: Core<Simd128, ByteSimd128>(weights, firstBlock, blockCount, activations, rowScales, destination); break;
            default: Core<SimdScalar, ByteSimdScalar>(weights, firstBlock, blockCount, activations, rowScales, destination); break;
        }
    }

    internal static void Core<TSimd, TBytes>(SignBlocks weights, int firstBlock, int blockCount, SignCodes activations, ReadOnlySpan<float> rowScales, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TBytes : struct, IByteSimd<TBytes, TSimd>
    {
        float* results = stackalloc float[Lanes];
        for (int block = firstBlock; block < firstBlock + blockCount; block++)
        {
            byte* signs = weights.Bytes.Pointer + block * weights.Bytes.Columns;
            int rows = Math.Min(Lanes, weights.Rows - block * Lanes);
            ReadOnlySpan<float> factors = rowScales.IsEmpty ? [] : rowScales.Slice(block * Lanes, rows);
            for (int token = 0; token < activations.TokenCount; token++)
            {
                TSimd.Store(OneBlock<TSimd, TBytes>(signs, weights.Steps, activations.Codes + token * activations.TokenCodes, activations.ScalesAndSums + 2 * (nint)token * activations.Spans), results);
                Span<float> y = destination.Row(token).Slice(block * Lanes, rows);
                for (int row = 0; row < rows; row++) y[row] = factors.IsEmpty ? results[row] : results[row] * factors[row];
            }
        }

        GC.KeepAlive(weights);
        GC.KeepAlive(activations);
    }

    private static TSimd OneBlock<TSimd, TBytes>(byte* signs, int steps, sbyte* codes, float* scaleAndSum)
        where TSimd : struct, ISimd<TSimd>
        where TBytes : struct, IByteSimd<TBytes, TSimd>
    {
        TSimd result = TSimd.Zero;
        for (int step = 0; step < steps; scaleAndSum += 2)
        {
            TBytes ones = TBytes.Zero, twos = ones, fours = ones, eights = ones;
            for (int end = Math.Min(steps, step + SpanSteps); step < end; step++, signs += SignBlocks.StepBytes, codes += SignBlocks.StepColumns)
            {
                TBytes bytes = TBytes.Load(signs);
                Add(ref ones, bytes, 0, codes);
                Add(ref twos, bytes, 1, codes + 4);
                Add(ref fours, bytes, 2, codes + 8);
                Add(ref eights, bytes, 3, codes + 12);
                bytes = TBytes.HighNibbles(bytes);
                Add(ref ones, bytes, 0, codes + 16);
                Add(ref twos, bytes, 1, codes + 20);
                Add(ref fours, bytes, 2, codes + 24);
                Add(ref eights, bytes, 3, codes + 28);
            }

            // Integers below 2^24, and halves and quarters of them that are integers: exact as floats.
            TSimd set = (Sums(ones) + Sums(twos) * TSimd.Broadcast(1f / 2)) + (Sums(fours) * TSimd.Broadcast(1f / 4) + Sums(eights) * TSimd.Broadcast(1f / 8));
            result += (set + set - TSimd.Broadcast(scaleAndSum[1])) * TSimd.Broadcast(scaleAndSum[0]);
        }

        return result;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Add(ref TBytes sums, TBytes bytes, int bit, sbyte* four) => sums = TBytes.AddNibbleProducts(sums, TBytes.Bit(bytes, bit), TBytes.BroadcastFour(four));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static TSimd Sums(TBytes sums) => TBytes.ToSingle(TBytes.NibbleSums(sums));
    }
}
