using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Activations of one token to 8-bit codes with a scale for every 32.</summary>
public class ActivationCodesBenchmarks : KernelBenchmark
{
    private ActivationCodes _codes = null!;
    private readonly sbyte[] _plain = new sbyte[4096];
    private float[] _values = [];
    private Quantizer _kernel = null!;

    private delegate void Quantizer(int token, ReadOnlySpan<float> values);

    [Params(576, 4096)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _values = Values(1, Length);
        _codes = Room(Length);
        _kernel = Choose<Quantizer>(_codes.Core<Simd512>, _codes.Core<Simd256>, _codes.Core<Simd128>, _codes.Core<SimdScalar>);
    }

    [GlobalCleanup]
    public void Cleanup() => _codes.Dispose();

    [Benchmark(Baseline = true)]
    public float PlainLoop()
    {
        float scales = 0;
        for (int start = 0; start < _values.Length; start += ActivationCodes.BlockColumns)
        {
            float largest = 0;
            for (int i = start; i < start + ActivationCodes.BlockColumns; i++) largest = Math.Max(largest, Math.Abs(_values[i]));
            for (int i = start; i < start + ActivationCodes.BlockColumns; i++) _plain[i] = (sbyte)MathF.Round(_values[i] * (127 / largest));
            scales += largest;
        }

        return scales;
    }

    [Benchmark]
    public void Kernel() => _kernel(0, _values);

    private static ActivationCodes Room(int length)
    {
        var codes = new ActivationCodes();
        codes.Reserve(1, length);
        return codes;
    }
}
