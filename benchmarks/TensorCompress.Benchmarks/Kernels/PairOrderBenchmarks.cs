using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>A swap layer of a row, and undoing it.</summary>
public class PairOrderBenchmarks : KernelBenchmark
{
    private float[] _pairs = [], _ordered = [];
    private byte[] _bits = [];
    private Split _split = null!;
    private Join _join = null!;

    private delegate void Split(ReadOnlySpan<float> pairs, Span<float> ordered, Span<byte> bits, long firstBit);

    private delegate void Join(ReadOnlySpan<float> ordered, Span<float> pairs, ReadOnlySpan<byte> bits, long firstBit);

    [Params(128, 1536)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _pairs = Values(1, Length);
        _ordered = new float[Length];
        _bits = new byte[Length / 16];
        _split = Choose<Split>(PairOrder.Split<Simd512>, PairOrder.Split<Simd256>, PairOrder.Split<Simd128>, PairOrder.Split<SimdScalar>);
        _join = Choose<Join>(PairOrder.Join<Simd512>, PairOrder.Join<Simd256>, PairOrder.Join<Simd128>, PairOrder.Join<SimdScalar>);
        _split(_pairs, _ordered, _bits, 0);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        int half = _pairs.Length / 2;
        for (int p = 0; p < half; p++)
        {
            float a = _pairs[2 * p], b = _pairs[2 * p + 1];
            bool isAscending = a < b;
            _ordered[p] = isAscending ? a : b;
            _ordered[half + p] = isAscending ? b : a;
            _bits[p >> 3] |= (byte)((isAscending ? 1 : 0) << (p & 7));
        }
    }

    [Benchmark]
    public void SplitKernel() => _split(_pairs, _ordered, _bits, 0);

    [Benchmark]
    public void JoinKernel() => _join(_ordered, _pairs, _bits, 0);
}
