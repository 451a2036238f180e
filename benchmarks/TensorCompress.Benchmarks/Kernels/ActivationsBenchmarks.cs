using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>SiLU and both GELUs. The plain loop is SiLU; the error function has none in the framework.</summary>
public class ActivationsBenchmarks : KernelBenchmark
{
    private float[] _x = [], _y = [];
    private Map _silu = null!, _geluTanh = null!, _geluErf = null!;

    private delegate void Map(ReadOnlySpan<float> source, Span<float> destination);

    [Params(77, 1536)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, Length, 6f);
        _y = new float[Length];
        _silu = Of<Silu>();
        _geluTanh = Of<GeluTanh>();
        _geluErf = Of<GeluErf>();
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int i = 0; i < _x.Length; i++) _y[i] = _x[i] / (1f + MathF.Exp(-_x[i]));
    }

    [Benchmark]
    public void SiluKernel() => _silu(_x, _y);

    [Benchmark]
    public void GeluTanhKernel() => _geluTanh(_x, _y);

    [Benchmark]
    public void GeluErfKernel() => _geluErf(_x, _y);

    private Map Of<TOperation>()
        where TOperation : struct, IUnaryOperation => Choose<Map>(
            Elementwise.MapCore<Simd512, TOperation>, Elementwise.MapCore<Simd256, TOperation>, Elementwise.MapCore<Simd128, TOperation>, Elementwise.MapCore<SimdScalar, TOperation>);
}
