using TensorCompress.Inference;

namespace TensorCompress.Tests.Inference;

public class SamplerTests
{
    private static readonly float[] Logits = [1f, 3f, 3f, 0f, -2f];

    [Fact]
    public void Greedy_takes_the_largest_logit_and_the_lower_id_of_equals() => Assert.Equal(1, new Sampler(SamplingOptions.Greedy).Next(Logits));

    [Fact]
    public void Draws_follow_the_probabilities()
    {
        var sampler = new Sampler(new SamplingOptions { Seed = 7 });
        int[] counts = new int[5];
        const int draws = 20_000;
        for (int i = 0; i < draws; i++) counts[sampler.Next(Logits)]++;
        double sum = Logits.Sum(logit => Math.Exp(logit));
        for (int id = 0; id < 5; id++)
        {
            double probability = Math.Exp(Logits[id]) / sum;
            Assert.InRange(counts[id] / (double)draws, probability - 0.015, probability + 0.015);
        }
    }

    [Fact]
    public void Low_temperature_sharpens()
    {
        var sampler = new Sampler(new SamplingOptions { Seed = 1, Temperature = 0.05f });
        Assert.All(Enumerable.Range(0, 200), _ => Assert.Contains(sampler.Next(Logits), new[] { 1, 2 }));
    }

    [Theory]
    [InlineData(1, 1f, 0f, new[] { 1 })]
    [InlineData(2, 1f, 0f, new[] { 1, 2 })]
    [InlineData(0, 0.5f, 0f, new[] { 1, 2 })]
    [InlineData(0, 0.4f, 0f, new[] { 1 })]
    [InlineData(0, 1f, 0.9f, new[] { 1, 2 })]
    [InlineData(0, 1f, 0.1f, new[] { 0, 1, 2 })]
    public void Filters_keep_exactly_the_tokens_they_promise(int topK, float topP, float minP, int[] kept)
    {
        var sampler = new Sampler(new SamplingOptions { Seed = 3, TopK = topK, TopP = topP, MinP = minP });
        Assert.Equal(kept, Enumerable.Range(0, 500).Select(_ => sampler.Next(Logits)).Distinct().Order());
    }

    [Fact]
    public void The_same_seed_draws_the_same_tokens()
    {
        int[] Draw(ulong seed)
        {
            var sampler = new Sampler(new SamplingOptions { Seed = seed });
            return [.. Enumerable.Range(0, 50).Select(_ => sampler.Next(Logits))];
        }

        Assert.Equal(Draw(5), Draw(5));
        Assert.NotEqual(Draw(5), Draw(6));
    }

    [Fact]
    public void Not_a_number_is_refused() => Assert.Throws<ArithmeticException>(() => new Sampler(SamplingOptions.Greedy).Next([0f, float.NaN, 1f]));

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new SamplingOptions { Temperature = -1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new SamplingOptions { Temperature = float.NaN });
        Assert.Throws<ArgumentOutOfRangeException>(() => new SamplingOptions { TopK = -1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new SamplingOptions { TopP = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new SamplingOptions { MinP = 1.5f });
    }
}
