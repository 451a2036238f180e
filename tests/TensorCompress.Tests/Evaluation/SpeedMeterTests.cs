using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Evaluation;

public class SpeedMeterTests
{
    private static string ModelPath => TestFiles.Golden("stories260K/stories260K.bin");

    [Fact]
    public void Costs_of_a_token_are_those_of_its_matrices_and_its_past()
    {
        using LanguageModel model = LanguageModel.Load(ModelPath);
        // 5 blocks: q and o [64, 64], k and v [32, 64], gate, up and down [172, 64]; the head [512, 64] is the embedding; 8 heads of 8 channels share 4 of keys and values.
        const long matrices = 5 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 172 * 64) + 512 * 64, gains = 11 * 64, positions = 17;
        DecodeCost cost = DecodeCost.Of(model, (int)positions - 1);
        Assert.Equal(matrices + 5 * 2 * positions * 64, cost.Multiplications);
        Assert.Equal(cost.Multiplications, cost.Additions);
        Assert.Equal(4 * (matrices + gains + 5 * 2 * positions * 32), cost.Bytes);
        Assert.Throws<ArgumentOutOfRangeException>(() => DecodeCost.Of(model, -1));
    }

    [Fact]
    public void Measurements_tell_rates_threads_and_memory()
    {
        using var pool = new ComputePool(2);
        using LanguageModel model = LanguageModel.Load(ModelPath, new LanguageModelOptions { Pool = pool });
        SpeedMeasurement speed = SpeedMeter.Measure(model, new SpeedOptions { PromptTokens = 12, GenerateTokens = 8, Repetitions = 2 });
        Assert.True(speed.PrefillTokensPerSecond > 0 && double.IsFinite(speed.PrefillTokensPerSecond));
        Assert.True(speed.DecodeTokensPerSecond > 0 && double.IsFinite(speed.DecodeTokensPerSecond));
        Assert.Equal(2, speed.Threads);
        Assert.Equal(model.ResidentBytes, speed.ModelBytes);
        Assert.True(speed.PeakBytes > speed.ModelBytes);
        Assert.True(speed.CpuSecondsPerToken > 0);
        Assert.Equal(DecodeCost.Of(model, 16), speed.Cost);
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_refused_and_defaults_fit()
    {
        using LanguageModel model = LanguageModel.Load(ModelPath);
        Assert.Throws<ArgumentException>(() => SpeedMeter.Measure(model, new SpeedOptions { PromptTokens = 512, GenerateTokens = 1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SpeedOptions { PromptTokens = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new SpeedOptions { GenerateTokens = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new SpeedOptions { Repetitions = 0 });
        foreach (int context in new[] { 2, 3, 17, 64, 160, 4096 })
        {
            SpeedOptions options = SpeedMeter.DefaultsFor(context);
            Assert.InRange(options.PromptTokens + options.GenerateTokens, 2, context);
        }

        Assert.Equal((128, 32), (SpeedMeter.DefaultsFor(4096).PromptTokens, SpeedMeter.DefaultsFor(4096).GenerateTokens));
    }
}
