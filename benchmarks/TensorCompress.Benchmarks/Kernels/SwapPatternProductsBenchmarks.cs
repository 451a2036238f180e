using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Rows of codes behind a swap layer, groups of four columns, for sixteen vectors beside the plain loops, and for one by tables; the last groups are no four.</summary>
public class SwapPatternProductsBenchmarks : KernelBenchmark
{
    private const int Rows = 192, Partners = 35, Columns = 4, Centroids = 32, Bits = 5, Tokens = TableProducts.Tokens;

    private readonly byte[] _codes = new byte[Rows * 2 * Partners * Bits / 8 + 1 + TableProducts.SlackBytes], _swaps = new byte[Rows * Partners * Columns / 8 + 1 + TableProducts.SlackBytes];
    private readonly int[] _chosen = new int[Rows * 2 * Partners];
    private readonly float[] _sums = new float[Rows * Tokens], _one = new float[Rows];
    private float[] _x = [], _centroids = [], _tables = [];
    private Adder _kernel = null!;

    private delegate void Adder(SwappedRows rows, int firstRow, int firstGroup, ReadOnlySpan<float> x, ReadOnlySpan<float> centroids, int count, Span<float> sums);

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(2);
        random.NextBytes(_codes);
        random.NextBytes(_swaps);
        foreach (ref int code in _chosen.AsSpan()) code = random.Next(Centroids);
        _x = Values(1, Partners * 2 * Columns * Tokens);
        _centroids = Values(2, Partners * 2 * Columns * Centroids);
        _tables = Values(3, Partners * 2 * Centroids << Columns);
        _kernel = Choose<Adder>(
            SwapPatternProducts.AddRowsForTokens<Simd512>, SwapPatternProducts.AddRowsForTokens<Simd256>, SwapPatternProducts.AddRowsForTokens<Simd128>, SwapPatternProducts.AddRowsForTokens<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int row = 0; row < Rows; row++)
        {
            for (int pair = 0; pair < Partners * Columns; pair++)
            {
                int group = pair / Columns, code = row * 2 * Partners + group, swap = row * Partners * Columns + pair, number = (group * 2 * Columns + pair % Columns) * Centroids;
                float smaller = _centroids[number + _chosen[code]], larger = _centroids[number + Columns * Centroids + _chosen[code + Partners]];
                (float a, float b) = (_swaps[swap >> 3] >> (swap & 7) & 1) != 0 ? (smaller, larger) : (larger, smaller);
                for (int token = 0; token < Tokens; token++) _sums[row * Tokens + token] += _x[2 * pair * Tokens + token] * a + _x[(2 * pair + 1) * Tokens + token] * b;
            }
        }
    }

    [Benchmark]
    public void Kernel() => _kernel(Swapped, 0, 0, _x, _centroids, Centroids, _sums);

    [Benchmark]
    public void OneVectorByTables() => SwapPatternProducts.AddRows(Swapped, 0, 0, _tables, Centroids, _one);

    private SwappedRows Swapped => new(new CodeRows(_codes, Bits, 2 * Partners), _swaps, Columns);
}
