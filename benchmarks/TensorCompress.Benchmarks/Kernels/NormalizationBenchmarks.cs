using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>RMSNorm: the sum of squares, then scale and gain.</summary>
public class NormalizationBenchmarks : KernelBenchmark
{
    private float[] _x = [], _gain = [], _y = [];
    private Squares _squares = null!;
    private ScaleAndShift _scale = null!;

    private delegate float Squares(ReadOnlySpan<float> x, float center);

    private delegate void ScaleAndShift(ReadOnlySpan<float> x, float mean, float scale, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, Span<float> y);

    [Params(77, 576)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, Length);
        _gain = Values(2, Length);
        _y = new float[Length];
        _squares = Choose<Squares>(
            Normalization.SumOfSquaresCore<Simd512>, Normalization.SumOfSquaresCore<Simd256>, Normalization.SumOfSquaresCore<Simd128>, Normalization.SumOfSquaresCore<SimdScalar>);
        _scale = Choose<ScaleAndShift>(
            Normalization.ScaleAndShiftCore<Simd512>, Normalization.ScaleAndShiftCore<Simd256>, Normalization.ScaleAndShiftCore<Simd128>, Normalization.ScaleAndShiftCore<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        float sum = 0;
        for (int i = 0; i < _x.Length; i++) sum += _x[i] * _x[i];
        float scale = 1f / MathF.Sqrt(sum / _x.Length + 1e-5f);
        for (int i = 0; i < _x.Length; i++) _y[i] = _x[i] * scale * _gain[i];
    }

    [Benchmark]
    public void Kernel() => _scale(_x, 0, 1f / MathF.Sqrt(_squares(_x, 0) / _x.Length + 1e-5f), _gain, default, _y);
}
