using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Layers;

public class RotaryEmbeddingTests
{
    [Theory]
    [InlineData(2, 1, RotaryPairs.Halves, 0)]
    [InlineData(8, 3, RotaryPairs.Halves, 5)]
    [InlineData(64, 2, RotaryPairs.Halves, 1000)]
    [InlineData(8, 3, RotaryPairs.Neighbours, 5)]
    [InlineData(64, 2, RotaryPairs.Neighbours, 8000)]
    public void Pairs_are_turned_by_position_times_frequency(int dimension, int heads, RotaryPairs pairs, int firstPosition)
    {
        const int Tokens = 4;
        const double Theta = 10000;
        float[] x = new FloatSource(dimension).Array(Tokens * heads * dimension);
        using var values = new Matrix<float>(Tokens, heads * dimension, x);
        new RotaryEmbedding(dimension, RotaryFrequencies.Plain(dimension, Theta), pairs).Turn(values.View, firstPosition);
        for (int token = 0; token < Tokens; token++)
        {
            int position = firstPosition + token, at = token * heads * dimension;
            FloatBits.AssertNear(
                i => Turned(x.AsSpan(at, heads * dimension), i, dimension, position, Theta, pairs), values.Row(token), _ => 3e-7 + position * 1.8e-7, $"position {position}");
        }
    }

    [Fact]
    public void Position_zero_turns_nothing_and_positions_do_not_depend_on_the_batch()
    {
        float[] x = new FloatSource(1).Array(6 * 16);
        using Matrix<float> whole = new(6, 16, x), alone = new(1, 16, x.AsSpan(5 * 16));
        var rotary = new RotaryEmbedding(16, RotaryFrequencies.Plain(16, 10000));
        rotary.Turn(whole.View, 0);
        FloatBits.AssertEqual(x.AsSpan(0, 16), whole.Row(0), "position 0");
        rotary.Turn(alone.View, 5);
        FloatBits.AssertEqual(whole.Row(5), alone.Row(0), "position 5");
    }

    [Fact]
    public void Impossible_shapes_are_refused()
    {
        Assert.Throws<ArgumentException>(() => RotaryFrequencies.Plain(7, 10000));
        Assert.Throws<ArgumentOutOfRangeException>(() => RotaryFrequencies.Plain(0, 10000));
        Assert.Throws<ArgumentOutOfRangeException>(() => RotaryFrequencies.Plain(8, 0));
    }

    [Theory]
    [InlineData(RotaryPairs.Halves)]
    [InlineData(RotaryPairs.Neighbours)]
    public void Channels_behind_the_last_pair_pass_unchanged(RotaryPairs pairs)
    {
        float[] x = new FloatSource(2).Array(2 * 10);
        using var values = new Matrix<float>(1, 20, x);
        new RotaryEmbedding(10, RotaryFrequencies.Plain(6, 10000), pairs).Turn(values.View, 3);
        for (int head = 0; head < 20; head += 10)
        {
            FloatBits.AssertEqual(x.AsSpan(head + 6, 4), values.Row(0).Slice(head + 6, 4), "behind the pairs");
            FloatBits.AssertNear(i => Turned(x.AsSpan(head, 6), i, 6, 3, 10000, pairs), values.Row(0).Slice(head, 6), _ => 1e-6, "turned");
        }
    }

    [Fact]
    public void A_table_of_another_shape_is_refused()
    {
        var rotary = new RotaryEmbedding(8, RotaryFrequencies.Plain(8, 10000));
        using Matrix<float> values = new(2, 16), fewer = new(1, rotary.TableWidth), wider = new(2, rotary.TableWidth + 1);
        Assert.Throws<ArgumentException>(() => rotary.Apply(values.View, fewer.View));
        Assert.Throws<ArgumentException>(() => rotary.Apply(values.View, wider.View));
    }

    private static double Turned(ReadOnlySpan<float> heads, int index, int dimension, int position, double theta, RotaryPairs pairs)
    {
        int head = index / dimension * dimension, channel = index % dimension;
        int pair = pairs == RotaryPairs.Halves ? channel % (dimension / 2) : channel / 2;
        int first = head + (pairs == RotaryPairs.Halves ? pair : 2 * pair);
        int second = first + (pairs == RotaryPairs.Halves ? dimension / 2 : 1);
        double angle = position * Math.Pow(theta, -2.0 * pair / dimension);
        return index == first
            ? heads[first] * Math.Cos(angle) - heads[second] * Math.Sin(angle)
            : heads[second] * Math.Cos(angle) + heads[first] * Math.Sin(angle);
    }
}
