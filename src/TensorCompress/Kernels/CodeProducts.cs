using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Products of quantised weights and quantised activations. Per row, token and block of 32 columns the integer sum s of (code - zero) x activation is exact; the result is
/// one running multiply-add over the blocks in order, y = s (weight scale x activation scale) + y, with the two scales multiplied first: the same bits in any tile,
/// batch and width. Sixteen rows are the lanes of a vector, so nothing is summed across lanes. Bound: bytes of the weights over the memory bandwidth for one token.
/// </summary>
internal static unsafe class CodeProducts
{
    /// <summary>Blocks of rows that are read side by side: streams for the memory, and the codes that a tile of tokens meets stay in the second-level cache.</summary>
    public const int ChunkBlocks = 4;

    private const int TileTokens = 4, Lanes = 16;

    /// <summary>Multiplies for a range of row blocks; one thread.</summary>
    /// <param name="weights">[rows, columns].</param>
    /// <param name="firstBlock">First block of sixteen rows.</param>
    /// <param name="blockCount">Blocks.</param>
    /// <param name="activations">[tokens, columns].</param>
    /// <param name="destination">[tokens, rows of W]; the rows of the blocks are overwritten.</param>
    public static void Multiply(CodeBlocks weights, int firstBlock, int blockCount, ActivationCodes activations, MatrixView<float> destination)
    {
        if (activations.Blocks != weights.Steps || destination.Rows != activations.TokenCount || destination.Columns != weights.Rows)
            throw new ArgumentException($"{weights.Rows} x {weights.Columns} weights and {activations.TokenCount} tokens do not give {destination.Rows} x {destination.Columns}.", nameof(destination));
        if (firstBlock < 0 || blockCount < 0 || firstBlock > weights.Blocks - blockCount)
            throw new ArgumentOutOfRangeException(nameof(firstBlock), firstBlock, $"{blockCount} blocks from there do not lie inside {weights.Blocks}.");
        switch (Choose(SimdLevel.Active, AvxVnni.IsSupported, weights.Bits))
        {
            case IntegerKernel.Bytes512: Core<Simd512, ByteSimd512>(weights, firstBlock, blockCount, activations, destination); break;
            case IntegerKernel.Vnni256: Core<Simd256, ByteSimdVnni>(weights, firstBlock, blockCount, activations, destination); break;
            case IntegerKernel.Bytes256: Core<Simd256, ByteSimd256>(weights, firstBlock, blockCount, activations, destination); break;
            case IntegerKernel.Bytes128: Core<Simd128, ByteSimd128>(weights, firstBlock, blockCount, activations, destination); break;
            default: Core<SimdScalar, ByteSimdScalar>(weights, firstBlock, blockCount, activations, destination); break;
        }
    }

    /// <summary>The implementation for a width of vectors. For 8 bits AVX-VNNI replaces four instructions by one, which its half width does not take back.</summary>
    public static IntegerKernel Choose(SimdWidth width, bool hasVnni, int bits) => width switch
    {
        SimdWidth.Bits512 => hasVnni && bits == 8 ? IntegerKernel.Vnni256 : IntegerKernel.Bytes512,
        SimdWidth.Bits256 => hasVnni ? IntegerKernel.Vnni256 : IntegerKernel.Bytes256,
        SimdWidth.Bits128 => IntegerKernel.Bytes128,
        _ => IntegerKernel.Scalar,
    };

    internal static void Core<TSimd, TBytes>(CodeBlocks weights, int firstBlock, int blockCount, ActivationCodes activations, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TBytes : struct, IByteSimd<TBytes, TSimd>
    {
        if (weights.Bits == 4) Run<TSimd, TBytes, Nibbles<TSimd, TBytes>>(weights, firstBlock, blockCount, activations, destination);
        else Run<TSimd, TBytes, Bytes<TSimd, TBytes>>(weights, firstBlock, blockCount, activations, destination);
    }

    private static void Run<TSimd, TBytes, TCode>(CodeBlocks weights, int firstBlock, int blockCount, ActivationCodes activations, MatrixView<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TBytes : struct, IByteSimd<TBytes, TSimd>
        where TCode : struct, ICode<TBytes>
    {
        var shape = new Shape(weights);
        for (int block = firstBlock; block < firstBlock + blockCount; block += ChunkBlocks)
        {
            int count = Math.Min(ChunkBlocks, firstBlock + blockCount - block), token = 0;
            byte* codes = weights.Bytes.Pointer + block * shape.BlockBytes;
            for (; token + TileTokens <= activations.TokenCount; token += TileTokens)
            {
                for (int b = 0; b < count; b++)
                {
                    FourTokens<TSimd, TBytes, TCode>(
                        codes + b * shape.BlockBytes, shape, new Tokens(activations, token), destination.Pointer + token * destination.Stride + (nint)(block + b) * Lanes, destination.Stride,
                        Math.Min(Lanes, weights.Rows - (block + b) * Lanes));
                }
            }

            for (; token < activations.TokenCount; token++)
            {
                OneToken<TSimd, TBytes, TCode>(
                    codes, count, shape, new Tokens(activations, token), destination.Pointer + token * destination.Stride + (nint)block * Lanes,
                    Math.Min(count * Lanes, weights.Rows - block * Lanes));
            }
        }

        GC.KeepAlive(weights);
        GC.KeepAlive(activations);
        destination.KeepAlive();
    }

    [SkipLocalsInit]
    private static void OneToken<TSimd, TBytes, TCode>(byte* blocks, int count, in Shape shape, in Tokens tokens, float* y, int rows)
        where TSimd : struct, ISimd<TSimd>
        where TBytes : struct, IByteSimd<TBytes, TSimd>
        where TCode : struct, ICode<TBytes>
    {
        float* results = stackalloc float[ChunkBlocks * Lanes];
        new Span<float>(results, ChunkBlocks * Lanes).Clear();
        int step = 0;
        for (nint offset = 0; step < shape.Steps;)
        {
            int stepEnd = Math.Min(step + shape.StepsPerGroup, shape.Steps), b = 0;
            byte* group = blocks + offset;
            for (; b + 1 < count; b += 2) TwoBlocks<TSimd, TBytes, TCode>(group + b * shape.BlockBytes, shape, tokens, step, stepEnd, results + b * Lanes);
            if (b < count) OneBlock<TSimd, TBytes, TCode>(group + b * shape.BlockBytes, shape, tokens, step, stepEnd, results + b * Lanes);
            offset += shape.HeaderBytes + (stepEnd - step) * TCode.StepBytes;
            step = stepEnd;
        }

        new ReadOnlySpan<float>(results, rows).CopyTo(new Span<float>(y, rows));
    }

    /// <summary>Adds the products of a group's steps to the results of sixteen rows.</summary>
    private static void OneBlock<TSimd, TBytes, TCode>(byte* at, in Shape shape, in Tokens tokens, int step, int stepEnd, float* results)
        where TSimd : struct, ISimd<TSimd>
        where TBytes : struct, IByteSimd<TBytes, TSimd>
        where TCode : struct, ICode<TBytes>
    {
        TSimd scales = Scales<TSimd>(at, shape), result = TSimd.Load(results);
        TBytes zeros = TBytes.LoadShorts((short*)(at + shape.ZerosOffset));
        at += shape.HeaderBytes;
        sbyte* x = tokens.Codes + step * CodeBlocks.StepColumns;
        for (; step < stepEnd; step++, at += TCode.StepBytes, x += CodeBlocks.StepColumns)
        {
            int sum = tokens.Sums[step];
            TBytes products = TBytes.SubtractMultiple(TCode.Products(at, x, sum), zeros, sum);
            TSimd.Accumulate(ref result, TBytes.ToSingle(products), scales * TSimd.Broadcast(tokens.Scales[step]));
        }

        TSimd.Store(result, results);
    }

    /// <summary><see cref="OneBlock"/> for a block and the next: what is the token's is loaded once, and while one waits for its memory the other computes.</summary>
    private static void TwoBlocks<TSimd, TBytes, TCode>(byte* at, in Shape shape, in Tokens tokens, int step, int stepEnd, float* results)
        where TSimd : struct, ISimd<TSimd>
        where TBytes : struct, IByteSimd<TBytes, TSimd>
        where TCode : struct, ICode<TBytes>
    {
        byte* other = at + shape.BlockBytes;
        TSimd scales0 = Scales<TSimd>(at, shape), scales1 = Scales<TSimd>(other, shape), result0 = TSimd.Load(results), result1 = TSimd.Load(results + Lanes);
        TBytes zeros0 = TBytes.LoadShorts((short*)(at + shape.ZerosOffset)), zeros1 = TBytes.LoadShorts((short*)(other + shape.ZerosOffset));
        at += shape.HeaderBytes;
        other += shape.HeaderBytes;
        sbyte* x = tokens.Codes + step * CodeBlocks.StepColumns;
        for (; step < stepEnd; step++, at += TCode.StepBytes, other += TCode.StepBytes, x += CodeBlocks.StepColumns)
        {
            int sum = tokens.Sums[step];
            TSimd scale = TSimd.Broadcast(tokens.Scales[step]);
            TCode.Products(at, other, x, sum, out TBytes s0, out TBytes s1);
            TSimd.Accumulate(ref result0, TBytes.ToSingle(TBytes.SubtractMultiple(s0, zeros0, sum)), scales0 * scale);
            TSimd.Accumulate(ref result1, TBytes.ToSingle(TBytes.SubtractMultiple(s1, zeros1, sum)), scales1 * scale);
        }

        TSimd.Store(result0, results);
        TSimd.Store(result1, results + Lanes);
    }

    [SkipLocalsInit]
    private static void FourTokens<TSimd, TBytes, TCode>(byte* at, in Shape shape, in Tokens tokens, float* y, nint stride, int rows)
        where TSimd : struct, ISimd<TSimd>
        where TBytes : struct, IByteSimd<TBytes, TSimd>
        where TCode : struct, ICode<TBytes>
    {
        float* results = stackalloc float[TileTokens * Lanes];
        new Span<float>(results, TileTokens * Lanes).Clear();
        sbyte* x = tokens.Codes;
        nint columns = tokens.CodeStride, steps = shape.Steps;
        for (int step = 0; step < shape.Steps;)
        {
            int stepEnd = Math.Min(step + shape.StepsPerGroup, shape.Steps);
            TSimd scales = Scales<TSimd>(at, shape);
            TBytes zeros = TBytes.LoadShorts((short*)(at + shape.ZerosOffset));
            at += shape.HeaderBytes;
            for (; step < stepEnd; step++, at += TCode.StepBytes, x += CodeBlocks.StepColumns)
            {
                int* sum = tokens.Sums + step;
                float* scale = tokens.Scales + step;
                TCode.Products(at, x, columns, sum, steps, out TBytes s0, out TBytes s1, out TBytes s2, out TBytes s3);
                Add(s0, zeros, sum[0], scales, scale[0], results);
                Add(s1, zeros, sum[steps], scales, scale[steps], results + Lanes);
                Add(s2, zeros, sum[2 * steps], scales, scale[2 * steps], results + 2 * Lanes);
                Add(s3, zeros, sum[3 * steps], scales, scale[3 * steps], results + 3 * Lanes);
            }
        }

        for (int t = 0; t < TileTokens; t++) new ReadOnlySpan<float>(results + t * Lanes, rows).CopyTo(new Span<float>(y + t * stride, rows));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Add(TBytes products, TBytes zeros, int sum, TSimd scales, float scale, float* result)
        {
            TSimd values = TBytes.ToSingle(TBytes.SubtractMultiple(products, zeros, sum));
            TSimd.Store(TSimd.MultiplyAdd(values, scales * TSimd.Broadcast(scale), TSimd.Load(result)), result);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TSimd Scales<TSimd>(byte* header, in Shape shape)
        where TSimd : struct, ISimd<TSimd> => shape.HasWideScales ? TSimd.Load((float*)header) : HalfFormat.WidenFinite(TSimd.LoadShorts((short*)header));

    /// <summary>What the inner loops need of the layout.</summary>
    private readonly struct Shape(CodeBlocks weights)
    {
        public readonly int Steps = weights.Steps, StepsPerGroup = weights.StepsPerGroup, ZerosOffset = weights.ZerosOffset, HeaderBytes = weights.HeaderBytes;
        public readonly nint BlockBytes = weights.BlockBytes;
        public readonly bool HasWideScales = weights.HasWideScales;
    }

    /// <summary>Where the codes, scales and sums of a token and of those after it lie.</summary>
    private readonly struct Tokens(ActivationCodes activations, int token)
    {
        public readonly sbyte* Codes = (sbyte*)activations.Codes.Pointer + token * activations.Codes.Stride;
        public readonly nint CodeStride = activations.Codes.Stride;
        public readonly float* Scales = activations.Scales.Pointer + token * activations.Scales.Stride;
        public readonly int* Sums = activations.Sums.Pointer + token * activations.Sums.Stride;
    }
}
