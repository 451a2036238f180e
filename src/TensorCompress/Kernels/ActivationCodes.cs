using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>Activations as 8-bit codes -127 to 127 with a scale for every 32 of a token: <c>x = scale code</c>, rounded to nearest. The memory is used again.</summary>
/// <remarks>
/// A token's result does not depend on what is quantised with it. A block with a NaN or an infinity gets a scale that is not finite, so that it reaches the product; a block
/// below 2^-100 becomes zero.
/// </remarks>
internal sealed class ActivationCodes : IDisposable
{
    public const int BlockColumns = 32;

    private const float LargestCode = 127, Smallest = 1f / (1L << 50) / (1L << 50);

    private Matrix<byte> _codes = new(0, 0);
    private Matrix<float> _scales = new(0, 0);
    private Matrix<int> _sums = new(0, 0);

    /// <summary>Blocks of a token.</summary>
    public int Blocks { get; private set; }

    /// <summary>[tokens, 32 blocks], signed; columns beyond the last activation are 0.</summary>
    public MatrixView<byte> Codes => new(_codes, 0, TokenCount, BlockColumns * (nint)Blocks, BlockColumns * (nint)Blocks);

    /// <summary>[tokens, blocks].</summary>
    public MatrixView<float> Scales => new(_scales, 0, TokenCount, Blocks, Blocks);

    /// <summary>[tokens, blocks], the sum of each block's codes.</summary>
    public MatrixView<int> Sums => new(_sums, 0, TokenCount, Blocks, Blocks);

    public int TokenCount { get; private set; }

    public long ByteLength => _codes.ByteLength + _scales.ByteLength + _sums.ByteLength;

    /// <summary>Makes room for activations; <see cref="Quantize"/> fills it token by token.</summary>
    public void Reserve(int tokens, int columns)
    {
        TokenCount = tokens;
        Blocks = (columns - 1) / BlockColumns + 1;
        nint needed = (nint)tokens * Blocks;
        if (needed <= _scales.Columns) return;
        Dispose();
        _codes = new Matrix<byte>(1, needed * BlockColumns);
        _scales = new Matrix<float>(1, needed);
        _sums = new Matrix<int>(1, needed);
    }

    /// <summary>Quantises one token.</summary>
    public void Quantize(int token, ReadOnlySpan<float> values)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Core<Simd512>(token, values); break;
            case SimdWidth.Bits256: Core<Simd256>(token, values); break;
            case SimdWidth.Bits128: Core<Simd128>(token, values); break;
            default: Core<SimdScalar>(token, values); break;
        }
    }

    public void Dispose()
    {
        _codes.Dispose();
        _scales.Dispose();
        _sums.Dispose();
    }

    internal unsafe void Core<TSimd>(int token, ReadOnlySpan<float> values)
        where TSimd : struct, ISimd<TSimd>
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual((values.Length - 1) / BlockColumns + 1, Blocks, nameof(values));
        float* padded = stackalloc float[BlockColumns];
        var codes = (sbyte*)Codes.RowRange(token, 1).Pointer;
        Span<float> scales = Scales.Row(token);
        Span<int> sums = Sums.Row(token);
        fixed (float* source = values)
        {
            for (int block = 0; block < Blocks; block++)
            {
                float* x = source + block * BlockColumns;
                int count = Math.Min(BlockColumns, values.Length - block * BlockColumns);
                if (count < BlockColumns)
                {
                    for (int i = 0; i < BlockColumns; i++) padded[i] = i < count ? x[i] : 0;
                    x = padded;
                }

                (scales[block], sums[block]) = QuantizeBlock<TSimd>(x, codes + block * BlockColumns);
            }
        }

        GC.KeepAlive(this);
    }

    private static unsafe (float Scale, int Sum) QuantizeBlock<TSimd>(float* x, sbyte* codes)
        where TSimd : struct, ISimd<TSimd>
    {
        float* levels = stackalloc float[BlockColumns];
        TSimd low = TSimd.Load(x), high = TSimd.Load(x + 16);
        TSimd magnitudes = TSimd.Max(TSimd.Max(low, TSimd.Zero - low), TSimd.Max(high, TSimd.Zero - high));
        TSimd.Store(magnitudes, levels);
        Vector128<float> four = Vector128.Max(Vector128.Max(Vector128.Load(levels), Vector128.Load(levels + 4)), Vector128.Max(Vector128.Load(levels + 8), Vector128.Load(levels + 12)));
        float largest = MathF.Max(MathF.Max(four[0], four[1]), MathF.Max(four[2], four[3])); // NaN if there is one
        bool isZero = largest < Smallest;
        TSimd inverse = TSimd.Broadcast(isZero ? 0 : LargestCode / largest);
        TSimd.Store(TSimd.Round(low * inverse), levels);
        TSimd.Store(TSimd.Round(high * inverse), levels + 16);
        Vector128<int> sums = Vector128<int>.Zero;
        for (int i = 0; i < BlockColumns; i += 16)
        {
            Vector128<int> a = Level(levels + i), b = Level(levels + i + 4), c = Level(levels + i + 8), d = Level(levels + i + 12);
            sums += (a + b) + (c + d);
            Vector128.NarrowWithSaturation(Vector128.NarrowWithSaturation(a, b), Vector128.NarrowWithSaturation(c, d)).Store(codes + i);
        }

        return (isZero ? 0 : largest / LargestCode, Vector128.Sum(sums));
    }

    // NaN becomes 0 on every platform.
    private static unsafe Vector128<int> Level(float* values) => Vector128.ConvertToInt32(Vector128.Load(values));
}
