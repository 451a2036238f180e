using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>The Hadamard transform of a row, beside the plain loops.</summary>
public class HadamardBenchmarks : KernelBenchmark
{
    private const int Length = 768;

    private readonly ushort[] _negatives = new ushort[Length / 16];
    private float[] _row = [];
    private Transform _kernel = null!;

    private delegate void Transform(Span<float> row, int width, ReadOnlySpan<ushort> negatives);

    [Params(32, 64, 256)]
    public int BlockWidth { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _row = Values(1, Length);
        _negatives.AsSpan().Fill(0x5A3C);
        _kernel = Choose<Transform>(Hadamard.Core<Simd512>, Hadamard.Core<Simd256>, Hadamard.Core<Simd128>, Hadamard.Core<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop() => Compression.Qet.Universal.BlockHadamard.Rotate<float>(_row, BlockWidth);

    [Benchmark]
    public void Kernel() => _kernel(_row, BlockWidth, _negatives);
}
