using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>16-bit floats to floats and back, beside a plain loop (of <see cref="Half"/> to float) and the framework.</summary>
public class HalfPrecisionBenchmarks : KernelBenchmark
{
    private float[] _x = [];
    private ushort[] _words = [];
    private Widen _widenHalf = null!, _widenBfloat = null!;
    private Round _roundHalf = null!, _roundBfloat = null!;

    private delegate void Widen(ReadOnlySpan<ushort> source, Span<float> destination);

    private delegate void Round(ReadOnlySpan<float> source, Span<ushort> destination);

    [Params(77, 4096)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _x = Values(1, Length);
        _words = [.. _x.Select(value => BitConverter.HalfToUInt16Bits((Half)value))];
        (_widenHalf, _roundHalf) = Of<HalfFormat>();
        (_widenBfloat, _roundBfloat) = Of<BfloatFormat>();
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int i = 0; i < _x.Length; i++) _x[i] = (float)BitConverter.UInt16BitsToHalf(_words[i]);
    }

    [Benchmark]
    public void FrameworkWiden() => TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<ushort, Half>(_words), _x);

    [Benchmark]
    public void FrameworkRound() => TensorPrimitives.ConvertToHalf(_x, MemoryMarshal.Cast<ushort, Half>(_words.AsSpan()));

    [Benchmark]
    public void WidenHalfKernel() => _widenHalf(_words, _x);

    [Benchmark]
    public void RoundHalfKernel() => _roundHalf(_x, _words);

    [Benchmark]
    public void WidenBfloatKernel() => _widenBfloat(_words, _x);

    [Benchmark]
    public void RoundBfloatKernel() => _roundBfloat(_x, _words);

    private (Widen Widen, Round Round) Of<TFormat>()
        where TFormat : struct, IHalfFormat => (
            Choose<Widen>(HalfPrecision.WidenCore<Simd512, TFormat>, HalfPrecision.WidenCore<Simd256, TFormat>, HalfPrecision.WidenCore<Simd128, TFormat>, HalfPrecision.WidenCore<SimdScalar, TFormat>),
            Choose<Round>(HalfPrecision.RoundCore<Simd512, TFormat>, HalfPrecision.RoundCore<Simd256, TFormat>, HalfPrecision.RoundCore<Simd128, TFormat>, HalfPrecision.RoundCore<SimdScalar, TFormat>));
}
