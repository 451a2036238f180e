using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>The pairs of one head turned, in both layouts. The plain loop is for halves.</summary>
public class RotationBenchmarks : KernelBenchmark
{
    private float[] _head = [], _cosines = [], _sines = [];
    private Turn _halves = null!, _neighbours = null!;

    private delegate void Turn(Span<float> head, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines);

    [Params(20, 64, 128)]
    public int Dimension { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _head = Values(1, Dimension);
        _cosines = [.. Values(2, Dimension, 3f).Select(MathF.Cos)];
        _sines = [.. Values(2, Dimension, 3f).Select(MathF.Sin)];
        _halves = Choose<Turn>(Rotation.HalvesCore<Simd512>, Rotation.HalvesCore<Simd256>, Rotation.HalvesCore<Simd128>, Rotation.HalvesCore<SimdScalar>);
        _neighbours = Choose<Turn>(Rotation.NeighboursCore<Simd512>, Rotation.NeighboursCore<Simd256>, Rotation.NeighboursCore<Simd128>, Rotation.NeighboursCore<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        int half = _head.Length / 2;
        for (int i = 0; i < half; i++)
        {
            (float x, float y) = (_head[i], _head[i + half]);
            (_head[i], _head[i + half]) = (x * _cosines[i] - y * _sines[i], y * _cosines[i] + x * _sines[i]);
        }
    }

    [Benchmark]
    public void HalvesKernel() => _halves(_head, _cosines.AsSpan(0, Dimension / 2), _sines.AsSpan(0, Dimension / 2));

    [Benchmark]
    public void NeighboursKernel() => _neighbours(_head, _cosines, _sines);
}
