using BenchmarkDotNet.Attributes;
using TensorCompress.Compression.Qet.Universal;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Rows of words of universal codebooks times 8-bit activations, beside the same number by number.</summary>
public class CodewordByteProductsBenchmarks : KernelBenchmark
{
    private const int Rows = 96, Columns = 576;

    private readonly float[] _y = new float[Rows], _scales = new float[CodewordByteProducts.Spans(Columns)];
    private readonly sbyte[] _x = new sbyte[Columns];
    private byte[] _codes = [];
    private CodewordFormat _format = null!;
    private Product _kernel = null!;

    private delegate void Product(CodewordFormat format, ReadOnlySpan<byte> codes, int rowBytes, ReadOnlySpan<sbyte> x, ReadOnlySpan<float> scales, Span<float> destination);

    [Params(0, 1, 2, 3)]
    public int Rate { get; set; }

    private int RowBytes => UniversalRate.All[Rate].RowBytes(Columns / 8);

    [GlobalSetup]
    public void Setup()
    {
        CodewordByteProducts.Quantize(Values(1, Columns), _x, _scales);
        _codes = new byte[Rows * RowBytes + CodewordProducts.SlackBytes];
        new Random(2).NextBytes(_codes);
        _format = UniversalRate.All[Rate].Format;
        _kernel = Choose<Product>(CodewordByteProducts.Multiply<Words256>, CodewordByteProducts.Multiply<Words256>, CodewordByteProducts.Multiply<Words128>, CodewordByteProducts.Scalar);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop() => CodewordByteProducts.Scalar(_format, _codes, RowBytes, _x, _scales, _y);

    [Benchmark]
    public void Kernel() => _kernel(_format, _codes, RowBytes, _x, _scales, _y);
}
