using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>Rows of codes behind a swap layer, groups of 36 columns, for one vector and for sixteen, beside the plain loop for one; a group's last sixteen columns are four.</summary>
public class PairProductsBenchmarks : MatrixBenchmark
{
    private const int Rows = 192, Partners = 8, Columns = 36, Centroids = 32, Bits = 5, Tokens = LaneDots.Lanes;

    private readonly byte[] _codes = new byte[Rows * 2 * Partners * Bits / 8 + 1 + TableProducts.SlackBytes], _swaps = new byte[Rows * Partners * Columns / 8 + 1 + TableProducts.SlackBytes];
    private readonly int[] _chosen = new int[Rows * 2 * Partners];
    private readonly float[] _results = new float[Rows];
    private float[] _x = [], _centroids = [], _tables = [], _differences = [];
    private MatrixView<float> _turned, _signed, _products, _together;
    private Adder _kernel = null!;
    private MatrixKernel _dots = null!;
    private Decoder _decoder = null!;
    private Looker _looker = null!;
    private Builder _builder = null!;

    private delegate void Adder(SwappedRows rows, int firstRow, PairOperands groups, Span<float> results);

    private delegate void Builder(ReadOnlySpan<float> sums, ReadOnlySpan<float> centroids, Span<float> table);

    private delegate void Decoder(SwappedRows rows, int firstRow, PairOperands groups, MatrixView<float> signed);

    private delegate void Looker(SwappedRows rows, int firstRow, PairOperands groups, MatrixView<float> products, MatrixView<float> results);

    [GlobalSetup]
    public void Setup()
    {
        int length = PairProducts.Length(Columns);
        var random = new Random(2);
        random.NextBytes(_codes);
        random.NextBytes(_swaps);
        foreach (ref int code in _chosen.AsSpan()) code = random.Next(Centroids);
        _x = Values(1, Partners * 2 * Columns);
        _centroids = new float[Partners * 2 * Centroids * length];
        PairProducts.Fill(Values(2, Partners * 2 * Centroids * Columns + PairProducts.NumbersBehind), Columns, _centroids);
        _tables = Values(3, Partners * 2 * Centroids * Tokens);
        _differences = Values(4, Partners * length);
        (_turned, _signed, _products, _together) = (Random(Partners * length, Tokens), Random(Rows, Partners * length), Random(Rows, Tokens), Random(Rows, Tokens));
        _kernel = Choose<Adder>(PairProducts.AddRows<Simd512>, PairProducts.AddRows<Simd256>, PairProducts.AddRows<Simd128>, PairProducts.AddRows<SimdScalar>);
        _dots = Choose<MatrixKernel>(LaneDots.Core<Simd512, TileOfTwo>, LaneDots.Core<Simd256, TileOfOne>, LaneDots.Core<Simd128, TileOfOne>, LaneDots.Core<SimdScalar, TileOfOne>);
        _decoder = Choose<Decoder>(PairProducts.Decode<Simd512>, PairProducts.Decode<Simd256>, PairProducts.Decode<Simd128>, PairProducts.Decode<SimdScalar>);
        _looker = Choose<Looker>(PairProducts.AddTables<Simd512>, PairProducts.AddTables<Simd256>, PairProducts.AddTables<Simd128>, PairProducts.AddTables<SimdScalar>);
        _builder = Choose<Builder>(PairProducts.Build<Simd512>, PairProducts.Build<Simd256>, PairProducts.Build<Simd128>, PairProducts.Build<SimdScalar>);
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        int length = PairProducts.Length(Columns);
        for (int row = 0; row < Rows; row++)
        {
            float sum = 0;
            for (int pair = 0; pair < Partners * Columns; pair++)
            {
                int group = pair / Columns, code = row * 2 * Partners + group, swap = row * Partners * Columns + pair;
                float smaller = _centroids[(2 * group * Centroids + _chosen[code]) * length + pair % Columns], larger = _centroids[((2 * group + 1) * Centroids + _chosen[code + Partners]) * length + pair % Columns];
                (float a, float b) = (_swaps[swap >> 3] >> (swap & 7) & 1) != 0 ? (smaller, larger) : (larger, smaller);
                sum += _x[2 * pair] * a + _x[2 * pair + 1] * b;
            }

            _results[row] += sum;
        }
    }

    [Benchmark]
    public void OneVector() => _kernel(Swapped, 0, Operands, _results);

    [Benchmark]
    public void SixteenVectors()
    {
        _decoder(Swapped, 0, Operands, _signed);
        _dots(_signed, _turned, _products);
        _looker(Swapped, 0, Operands, _products, _together);
    }

    [Benchmark]
    public void Tables()
    {
        int length = PairProducts.Length(Columns), numbers = Centroids * length;
        for (int table = 0; table < 2 * Partners; table++) _builder(_differences.AsSpan(table / 2 * length, length), _centroids.AsSpan(table * numbers, numbers), _tables.AsSpan(table * Centroids, Centroids));
    }

    private SwappedRows Swapped => new(new CodeRows(_codes, Bits, 2 * Partners), _swaps, Columns);

    private PairOperands Operands => new(0, Partners, Centroids, _tables, _centroids, _differences);
}
