using BenchmarkDotNet.Attributes;
using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Benchmarks.Kernels;

/// <summary>One block of 256 positions for the query heads of a group (3, decode) and for a tile of a prompt (30), heads of a small model (8) and usual ones (64), at the width of the process.</summary>
public class AttentionBlockBenchmarks
{
    private MatrixView<float> _queries, _keys, _values, _scores, _state;

    [Params(3, 30)]
    public int Rows { get; set; }

    [Params(8, 64)]
    public int Dimension { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_queries, _keys, _values) = (Random(Rows, Dimension), Random(AttentionBlock.Positions, Dimension), Random(AttentionBlock.Positions, Dimension));
        (_scores, _state) = (Random(Rows, AttentionBlock.Positions), Random(Rows, Dimension + AttentionBlock.StateColumns));

        static MatrixView<float> Random(int rows, int columns) => new Matrix<float>(rows, columns, KernelBenchmark.Values(columns, rows * columns)).View;
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int row = 0; row < Rows; row++)
        {
            Span<float> query = _queries.Row(row), scores = _scores.Row(row), state = _state.Row(row);
            float sum = 0;
            for (int position = 0; position < scores.Length; position++)
            {
                Span<float> key = _keys.Row(position);
                float score = 0;
                for (int i = 0; i < Dimension; i++) score += query[i] * key[i];
                sum += scores[position] = MathF.Exp(score * 0.125f);
            }

            state.Clear();
            for (int position = 0; position < scores.Length; position++)
            {
                Span<float> value = _values.Row(position);
                for (int i = 0; i < Dimension; i++) state[i] += scores[position] * value[i];
            }

            state[Dimension + 1] = sum;
        }
    }

    [Benchmark]
    public void Kernel() => AttentionBlock.Attend(
        _queries, _keys, _values, new BlockVisibility(3, AttentionBlock.Positions, Rows / 3, 0, AttentionBlock.Positions, null), 0.125f, null, _scores, _state);
}
