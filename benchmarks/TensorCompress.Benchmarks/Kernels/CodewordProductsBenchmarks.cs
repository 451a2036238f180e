using BenchmarkDotNet.Attributes;
using TensorCompress.Compression.Qet.Universal;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Rows of words of universal codebooks times a vector, beside decoding with plain loops and multiplying; a row's last vector is not whole.</summary>
public class CodewordProductsBenchmarks : KernelBenchmark
{
    private const int Rows = 96, Columns = 571, Padded = 576;

    private readonly float[] _y = new float[Rows];
    private float[] _x = [];
    private byte[] _codes = [];
    private CodewordFormat _format = null!;
    private Product _kernel = null!;

    private delegate void Product(CodewordFormat format, ReadOnlySpan<byte> codes, int rowBytes, ReadOnlySpan<float> x, Span<float> destination);

    [Params(0, 1, 2, 3, 4, 5)]
    public int Rate { get; set; }

    private int RowBytes => UniversalRate.All[Rate].RowBytes(Padded / 8);

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, Padded);
        _x.AsSpan(Columns).Clear();
        _codes = new byte[Rows * RowBytes + CodewordProducts.SlackBytes];
        new Random(2).NextBytes(_codes);
        _format = UniversalRate.All[Rate].Format;
        _kernel = Choose<Product>(
            CodewordProducts.Multiply<Simd512, Codewords512>, CodewordProducts.Multiply<Simd256, Codewords256>, CodewordProducts.Multiply<Simd128, Codewords128>, CodewordProducts.Multiply<SimdScalar, CodewordsScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        UniversalRate rate = UniversalRate.All[Rate];
        for (int row = 0; row < Rows; row++)
        {
            float sum = 0;
            ReadOnlySpan<byte> codes = _codes.AsSpan(row * RowBytes);
            for (int segment = 0; segment < Padded / 8; segment++)
            {
                long bit = (long)segment * rate.Bits;
                int second = rate.Second is { } next ? Compression.BitStream.Read(codes, bit + rate.First.Bits, next.Bits) : 0;
                System.Runtime.Intrinsics.Vector256<float> numbers = UniversalRows.Decode(rate, 1, Compression.BitStream.Read(codes, bit, rate.First.Bits), second);
                for (int k = 0; k < 8; k++) sum += numbers[k] * _x[8 * segment + k];
            }

            _y[row] = sum;
        }
    }

    [Benchmark]
    public void Kernel() => _kernel(_format, _codes, RowBytes, _x, _y);
}
