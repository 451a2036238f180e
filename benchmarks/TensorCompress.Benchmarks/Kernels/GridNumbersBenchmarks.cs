using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Places on a grid, of two bytes and of one, to floats, beside the plain loops.</summary>
public class GridNumbersBenchmarks : KernelBenchmark
{
    private const float Least = -1.5f, Step = 0.01f;

    private ushort[] _words = [];
    private sbyte[] _bytes = [];
    private float[] _numbers = [];
    private WordDecoder _decodeWords = null!;
    private ByteDecoder _decodeBytes = null!;

    private delegate void WordDecoder(ReadOnlySpan<ushort> q, float least, float step, Span<float> destination);

    private delegate void ByteDecoder(ReadOnlySpan<sbyte> q, float least, float step, Span<float> destination);

    [Params(77, 4096)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        _words = [.. Enumerable.Range(0, Length).Select(_ => (ushort)random.Next(1024))];
        _bytes = [.. Enumerable.Range(0, Length).Select(_ => (sbyte)random.Next(-128, 128))];
        _numbers = new float[Length];
        _decodeWords = Choose<WordDecoder>(GridNumbers.Decode<Simd512>, GridNumbers.Decode<Simd256>, GridNumbers.Decode<Simd128>, GridNumbers.Decode<SimdScalar>);
        _decodeBytes = Choose<ByteDecoder>(GridNumbers.Decode<Simd512>, GridNumbers.Decode<Simd256>, GridNumbers.Decode<Simd128>, GridNumbers.Decode<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int i = 0; i < _numbers.Length; i++) _numbers[i] = Least + _words[i] * Step;
    }

    [Benchmark]
    public void PlainLoopOfBytes()
    {
        for (int i = 0; i < _numbers.Length; i++) _numbers[i] = Least + (_bytes[i] + 128) * Step;
    }

    [Benchmark]
    public void WordKernel() => _decodeWords(_words, Least, Step, _numbers);

    [Benchmark]
    public void ByteKernel() => _decodeBytes(_bytes, Least, Step, _numbers);
}
