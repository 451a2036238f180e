using TensorCompress.Caching;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Layers;

public class AttentionTests
{
    private const int Heads = 6, KeyValueHeads = 2, Dimension = 20, Length = 83, LongLength = 601; // blocks of 256 positions: one, and three
    private static readonly float Scale = 1 / MathF.Sqrt(Dimension);

    [Fact]
    public void Attention_is_its_formula()
    {
        using var data = new Sequence();
        using Matrix<float> result = data.Attend(0, Length, threads: 2);
        for (int position = 0; position < Length; position++)
        {
            int at = position;
            FloatBits.AssertNear(channel => data.Oracle(at, channel), result.Row(position), _ => 2e-6, $"position {position}");
        }
    }

    [Theory]
    [InlineData(1, null)]
    [InlineData(17, null)]
    [InlineData(17, 1.5f)]
    [InlineData(Length + 5, 1.5f)]
    [InlineData(null, 1.5f)]
    public void Windows_and_caps_are_their_formula_whole_and_in_chunks(int? window, float? cap)
    {
        using var data = new Sequence { Window = window, Cap = cap };
        using Matrix<float> whole = data.Attend(0, Length, threads: 2), part = data.Attend(41, 20, threads: 1);
        for (int position = 0; position < Length; position++)
        {
            int at = position;
            FloatBits.AssertNear(channel => data.Oracle(at, channel), whole.Row(position), _ => 4e-6, $"position {position}");
        }

        for (int i = 0; i < 20; i++) FloatBits.AssertEqual(whole.Row(41 + i), part.Row(i), $"position {41 + i}");
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 3)]
    [InlineData(7, 2)]
    [InlineData(32, 8)]
    [InlineData(40, 2)]
    public void Chunks_and_threads_do_not_change_a_bit(int chunk, int threads)
    {
        using var data = new Sequence();
        using Matrix<float> whole = data.Attend(0, Length, threads: 1);
        for (int start = 0; start < Length; start += chunk)
        {
            int count = Math.Min(chunk, Length - start);
            using Matrix<float> part = data.Attend(start, count, threads);
            for (int i = 0; i < count; i++) FloatBits.AssertEqual(whole.Row(start + i), part.Row(i), $"position {start + i} in chunks of {chunk}");
        }
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData(100, null)]
    [InlineData(300, 1.5f)]
    public void Far_positions_are_their_formula_and_the_same_bits_in_any_split(int? window, float? cap)
    {
        using var data = new Sequence(LongLength) { Window = window, Cap = cap };
        using Matrix<float> whole = data.Attend(0, LongLength, threads: 1);
        foreach (int position in new[] { 0, 99, 100, 255, 256, 299, 300, 511, 512, LongLength - 1 })
        {
            FloatBits.AssertNear(channel => data.Oracle(position, channel), whole.Row(position), _ => 4e-6, $"position {position}");
            foreach ((int count, int threads) in new[] { (1, 1), (1, 3), (2, 4), (12, 2), (40, 3) })
            {
                int start = Math.Max(0, position + 1 - count);
                using Matrix<float> part = data.Attend(start, position + 1 - start, threads);
                for (int i = 0; i < part.Rows; i++) FloatBits.AssertEqual(whole.Row(start + i), part.Row(i), $"position {start + i} in {count}, {threads} threads");
            }
        }
    }

    [Theory]
    [InlineData(40, 30)]
    [InlineData(500, 1)]
    [InlineData(500, 90)]
    public void A_NaN_at_a_later_position_of_the_same_call_changes_nothing(int position, int count)
    {
        using var data = new Sequence(LongLength);
        using Matrix<float> before = data.Attend(position, count, threads: 2);
        data.Poison(position + count / 2 + 1);
        using Matrix<float> after = data.Attend(position, count, threads: 2);
        for (int i = 0; i <= count / 2; i++) FloatBits.AssertEqual(before.Row(i), after.Row(i), $"position {position + i}");
        if (count > 1) Assert.True(float.IsNaN(after[count - 1, 0]));
    }

    [Fact]
    public void A_later_position_changes_nothing()
    {
        using var data = new Sequence();
        using Matrix<float> before = data.Attend(0, 40, threads: 2);
        data.Poison(40);
        using Matrix<float> after = data.Attend(0, 40, threads: 2);
        for (int position = 0; position < 40; position++) FloatBits.AssertEqual(before.Row(position), after.Row(position), $"position {position}");
    }

    [Fact]
    public void Weights_are_told_to_who_asks()
    {
        using var data = new Sequence();
        var seen = new List<(int Head, int Position, float[] Weights)>();
        using Matrix<float> result = data.Attend(0, 40, threads: 1, (head, position, weights) => seen.Add((head, position, weights.ToArray())));
        Assert.Equal(40 * Heads, seen.Select(entry => (entry.Head, entry.Position)).Distinct().Count());
        Assert.All(seen, entry =>
        {
            Assert.Equal(entry.Position + 1, entry.Weights.Length);
            Assert.InRange(entry.Weights.Sum(), 1 - 1e-5f, 1 + 1e-5f);
        });
    }

    /// <summary>Random queries, and a cache with random keys and values.</summary>
    private sealed class Sequence : IDisposable
    {
        private readonly int _length;
        private readonly Matrix<float> _queries;
        private readonly Matrix<float> _keys;
        private readonly Matrix<float> _values;
        private readonly FloatKeyValueCache _cache;

        public Sequence(int length = Length)
        {
            _length = length;
            _queries = Random(1, Heads);
            _keys = Random(2, KeyValueHeads);
            _values = Random(3, KeyValueHeads);
            _cache = new FloatKeyValueCache(2, KeyValueHeads, Dimension, length);
            _cache.Reserve(length);
            _cache.Store(1, 0, _keys.View, _values.View);
        }

        public int? Window { get; init; }

        public float? Cap { get; init; }

        public Matrix<float> Attend(int position, int count, int threads, Action<int, int, ReadOnlyMemory<float>>? probabilities = null)
        {
            using var pool = new ComputePool(threads);
            using var context = new ComputeContext(pool);
            var result = new Matrix<float>(count, Heads * Dimension);
            new Attention(Heads, KeyValueHeads, Dimension, Scale, Window, Cap).Forward(_queries.RowRange(position, count), _cache, 1, position, result.View, context, probabilities);
            return result;
        }

        public double Oracle(int position, int channel)
        {
            int head = channel / Dimension, start = head / (Heads / KeyValueHeads) * Dimension;
            int first = Window is { } window ? Math.Max(0, position + 1 - window) : 0;
            double[] weights = new double[position + 1];
            for (int j = first; j <= position; j++)
            {
                double score = 0;
                for (int d = 0; d < Dimension; d++) score += (double)_queries[position, head * Dimension + d] * _keys[j, start + d];
                weights[j] = Math.Exp(Cap is { } cap ? cap * Math.Tanh(score * Scale / cap) : score * Scale);
            }

            return Enumerable.Range(0, position + 1).Sum(j => weights[j] * _values[j, start + channel % Dimension]) / weights.Sum();
        }

        public void Poison(int from)
        {
            using var bad = new Matrix<float>(_length - from, KeyValueHeads * Dimension);
            for (int row = 0; row < bad.Rows; row++) bad.Row(row).Fill(float.NaN);
            _cache.Store(1, from, bad.View, bad.View);
        }

        public void Dispose()
        {
            _queries.Dispose();
            _keys.Dispose();
            _values.Dispose();
            _cache.Dispose();
        }

        private Matrix<float> Random(int seed, int heads) => new(_length, heads * Dimension, new FloatSource(seed).Array(_length * heads * Dimension, 2f));
    }
}
