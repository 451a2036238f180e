using System.Buffers.Binary;
using System.Security.Cryptography;
using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Dbf;

/// <summary>Saved states of the solver that are not what was saved.</summary>
public sealed class DbfStateTests
{
    private const int IdentityBytes = 32, HashBytes = 32;

    [Fact]
    public void A_damaged_state_is_refused_and_changes_nothing()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(6, 5, 12);
        var options = new DbfOptions(middleDimension: 3, schedule: DbfSchedule.ForRate(0.5) with { Rounds = 10 });
        byte[] state = StateAfter(7);
        using DbfFactorizer expected = new(weights.View, options, new CompressionContext()), factorizer = new(weights.View, options, new CompressionContext());
        using DbfWeight whole = expected.Run();
        factorizer.RunRounds(3);
        for (int i = 0; i < state.Length; i++)
        {
            byte[] damaged = [.. state];
            damaged[i] ^= (byte)(1 << (i % 8));
            if (i < IdentityBytes) Assert.Throws<ArgumentException>(() => Restore(damaged));
            else Assert.Throws<TensorFormatException>(() => Restore(damaged));
            Assert.Equal(TensorFormatError.Truncated, Assert.Throws<TensorFormatException>(() => Restore(state[..i])).Kind);
        }

        using DbfWeight rest = factorizer.Run();
        Assert.Equal((7, expected.Error), (factorizer.RoundsRun - 3, factorizer.Error));
        Assert.Equal(whole.MiddleScale, rest.MiddleScale);

        void Restore(byte[] bytes) => factorizer.RestoreState(new MemoryStream(bytes));

        byte[] StateAfter(int rounds)
        {
            using var begun = new DbfFactorizer(weights.View, options, new CompressionContext());
            begun.RunRounds(rounds);
            using var stream = new MemoryStream();
            begun.SaveState(stream);
            return stream.ToArray();
        }
    }

    [Theory]
    [InlineData(DbfStage.Rounds, false)]
    [InlineData(DbfStage.Scales, false)]
    [InlineData(DbfStage.Scales, true)]
    [InlineData(DbfStage.Flips, false)]
    [InlineData(DbfStage.Flips, true)]
    [InlineData(DbfStage.Done, false)]
    [InlineData(DbfStage.Done, true)]
    public void A_run_that_was_cancelled_or_has_ended_gives_the_same_bits_again_and_so_does_its_state(DbfStage stage, bool withMetric)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(80, 60, 12), activations = RandomMatrices.Gaussian(200, 60, 13);
        using LayerStatistics statistics = LayerStatistics.FromActivations(activations.View);
        var context = new CompressionContext { Statistics = withMetric ? statistics : null };
        foreach (DbfSchedule schedule in new[] { DbfSchedule.ForRate(0.5) with { Rounds = 8 }, DbfSchedule.Paper with { Rounds = 8, RefitSweeps = 2, FlipSweeps = 5 } })
        {
            var options = new DbfOptions(middleDimension: 40, diagonalShare: 0.5, schedule: schedule);
            using DbfFactorizer whole = new(weights.View, options, context), stopped = new(weights.View, options, context), other = new(weights.View, options, context);
            using DbfWeight expected = whole.Run();
            using var source = new CancellationTokenSource();
            var told = new StepAction(step =>
            {
                if (step.Stage == stage) source.Cancel();
            });
            if (stage == DbfStage.Done) stopped.Run(told, source.Token).Dispose();
            else Assert.Throws<OperationCanceledException>(() => stopped.Run(told, source.Token));
            Assert.True(source.IsCancellationRequested);
            using var state = new MemoryStream();
            stopped.SaveState(state);
            state.Position = 0;
            other.RestoreState(state);
            using DbfWeight rest = stopped.Run(), again = stopped.Run(), restored = other.Run();
            foreach (DbfWeight weight in new[] { rest, again, restored })
            {
                using MemoryTensors a = MemoryTensors.Of("x", expected), b = MemoryTensors.Of("x", weight);
                Assert.All(a.Bytes, part => Assert.Equal(part.Value, b.Bytes[part.Key]));
            }

            foreach (DbfFactorizer factorizer in new[] { stopped, other }) Assert.Equal((whole.Error, whole.Flips, whole.IsOptimal), (factorizer.Error, factorizer.Flips, factorizer.IsOptimal));
        }
    }

    [Theory]
    [InlineData("weights")]
    [InlineData("schedule")]
    [InlineData("middle dimension")]
    [InlineData("seed")]
    [InlineData("statistics")]
    [InlineData("metric")]
    [InlineData("importance")]
    public void The_state_of_another_problem_is_refused(string difference)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(20, 16, 12), others = RandomMatrices.Gaussian(20, 16, 13), activations = RandomMatrices.Gaussian(60, 16, 14), inputs = RandomMatrices.Gaussian(60, 16, 15);
        using LayerStatistics statistics = LayerStatistics.FromActivations(activations.View), different = LayerStatistics.FromActivations(inputs.View);
        DbfSchedule schedule = DbfSchedule.ForRate(0.5) with { Rounds = 10 };
        var options = new DbfOptions(middleDimension: 6, schedule: schedule);
        using var state = new MemoryStream();
        using (var begun = new DbfFactorizer(weights.View, options, new CompressionContext { Statistics = statistics }))
        {
            begun.RunRounds(3);
            begun.SaveState(state);
        }

        using (var same = new DbfFactorizer(weights.View, options, new CompressionContext { Statistics = statistics }))
        {
            state.Position = 0;
            same.RestoreState(state);
        }

        var context = new CompressionContext { Statistics = statistics };
        using DbfFactorizer other = difference switch
        {
            "weights" => new(others.View, options, context),
            "schedule" => new(weights.View, new DbfOptions(middleDimension: 6, schedule: schedule with { PenaltyPower = 2.5 }), context),
            "middle dimension" => new(weights.View, new DbfOptions(middleDimension: 7, schedule: schedule), context),
            "seed" => new(weights.View, options, new CompressionContext { Statistics = statistics, Seed = 1 }),
            "statistics" => new(weights.View, options, new CompressionContext { Statistics = different }),
            "metric" => new(weights.View, new DbfOptions(middleDimension: 6, diagonalShare: 0.25, schedule: schedule), context),
            _ => new(weights.View, options, new CompressionContext { Statistics = statistics.WithOutputImportance(Enumerable.Range(1, 20).Select(i => (double)i)) }),
        };
        state.Position = 0;
        Assert.Contains("another", Assert.Throws<ArgumentException>(() => other.RestoreState(state)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-5)]
    [InlineData(11)]
    [InlineData(int.MaxValue)]
    public void A_round_that_there_is_not_is_refused_even_with_the_right_hash(int round)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(6, 5, 12);
        using var factorizer = new DbfFactorizer(weights.View, new DbfOptions(middleDimension: 3, schedule: DbfSchedule.ForRate(0.5) with { Rounds = 10 }), new CompressionContext());
        factorizer.RunRounds(4);
        using var stream = new MemoryStream();
        factorizer.SaveState(stream);
        byte[] state = stream.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(state.AsSpan(IdentityBytes), round);
        SHA256.HashData(state.AsSpan(0, state.Length - HashBytes), state.AsSpan(state.Length - HashBytes));
        Assert.Equal(TensorFormatError.Value, Assert.Throws<TensorFormatException>(() => factorizer.RestoreState(new MemoryStream(state))).Kind);
    }

    private sealed class StepAction(Action<DbfProgress> then) : IProgress<DbfProgress>
    {
        public void Report(DbfProgress value) => then(value);
    }
}
