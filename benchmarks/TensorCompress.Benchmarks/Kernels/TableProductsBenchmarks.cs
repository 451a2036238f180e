using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Rows of codes that choose from tables of sixteen vectors, beside the plain loops; the last groups are no four.</summary>
public class TableProductsBenchmarks : KernelBenchmark
{
    private const int Rows = 192, Groups = 35, Centroids = 32, Bits = 5, Tokens = TableProducts.Tokens;

    private readonly byte[] _codes = new byte[Rows * Groups * Bits / 8 + 1 + TableProducts.SlackBytes];
    private readonly int[] _chosen = new int[Rows * Groups];
    private readonly float[] _sums = new float[Rows * Tokens];
    private float[] _tables = [];
    private Adder _kernel = null!;

    private delegate void Adder(CodeRows codes, int firstRow, int firstGroup, ReadOnlySpan<float> tables, int centroids, Span<float> sums);

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(2);
        random.NextBytes(_codes);
        foreach (ref int code in _chosen.AsSpan()) code = random.Next(Centroids);
        _tables = Values(1, Groups * Centroids * Tokens);
        _kernel = Choose<Adder>(
            TableProducts.AddRowsForTokens<Simd512>, TableProducts.AddRowsForTokens<Simd256>, TableProducts.AddRowsForTokens<Simd128>, TableProducts.AddRowsForTokens<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int row = 0; row < Rows; row++)
        {
            for (int group = 0; group < Groups; group++)
            {
                for (int token = 0; token < Tokens; token++) _sums[row * Tokens + token] += _tables[(group * Centroids + _chosen[row * Groups + group]) * Tokens + token];
            }
        }
    }

    [Benchmark]
    public void Kernel() => _kernel(new CodeRows(_codes, Bits, Groups), 0, 0, _tables, Centroids, _sums);
}
