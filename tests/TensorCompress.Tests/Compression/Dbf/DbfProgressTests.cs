using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Dbf;

/// <summary>What a factorisation tells while it runs, and how it ends early.</summary>
public sealed class DbfProgressTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_step_tells_the_error_that_it_left(bool withMetric)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(40, 56, 3), activations = RandomMatrices.Gaussian(300, 56, 4);
        for (nint i = 0; i < activations.Rows; i++) activations[i, 3] = 3 * activations[i, 7] - activations[i, 11];
        using LayerStatistics statistics = LayerStatistics.FromActivations(activations.View);
        var context = new CompressionContext { Statistics = withMetric ? statistics : null };
        DbfSchedule schedule = DbfSchedule.ForRate(0.5) with { Rounds = 12, FlipSweeps = 30 };
        var told = new Told();
        using var factorizer = new DbfFactorizer(weights.View, new DbfOptions(middleDimension: 24, schedule: schedule), context);
        using DbfWeight weight = factorizer.Run(told);
        Assert.All(told.All, step => Assert.InRange(step.Error, 1e-3, 1));
        Assert.Equal(told.All.OrderBy(step => step.Stage).ThenBy(step => step.Step), told.All);
        Assert.Equal(Enumerable.Range(1, 12), told.Of(DbfStage.Rounds).Select(step => step.Step));
        Assert.Equal(Enumerable.Range(1, 3), told.Of(DbfStage.Scales).Select(step => step.Step));
        Assert.Equal(new DbfProgress(DbfStage.Done, 1, 1, factorizer.Error), told.All[^1]);
        Assert.True(told.Of(DbfStage.Scales)[0].Error <= told.Of(DbfStage.Rounds).Skip(5).Min(step => step.Error) * (1 + 1e-5));
        DbfProgress[] flips = told.Of(DbfStage.Flips);
        Assert.True(factorizer.IsOptimal && flips.Length > 1);
        Assert.Equal(factorizer.Error, flips[^1].Error, 1e-3 * factorizer.Error);
        for (int i = 1; i < flips.Length; i++) Assert.True(flips[i].Error <= flips[i - 1].Error);

        // The error of a round is that of the weight which the rounds up to it give, without a fit of the scales.
        foreach (int rounds in new[] { 1, 7, 12 })
        {
            DbfSchedule paper = DbfSchedule.Paper with { Rounds = rounds };
            var last = new Told();
            using var published = new DbfFactorizer(weights.View, new DbfOptions(middleDimension: 24, schedule: paper), context);
            using DbfWeight result = published.Run(last);
            Assert.Equal(rounds, last.Of(DbfStage.Rounds)[^1].Step);
            Assert.Equal(published.Error, last.Of(DbfStage.Rounds)[^1].Error, 2e-3 * published.Error);
        }
    }

    [Fact]
    public async Task A_round_that_is_cancelled_ends_at_once_and_nothing_goes_on_from_it()
    {
        // One round of so many steps that it takes a second: the token is cancelled while it runs.
        using Matrix<float> weights = RandomMatrices.Gaussian(256, 256, 11);
        var options = new DbfOptions(middleDimension: 256, schedule: DbfSchedule.ForRate(1) with { Rounds = 3, InnerSteps = 400 });
        using var source = new CancellationTokenSource();
        using var factorizer = new DbfFactorizer(weights.View, options, new CompressionContext());
        using var state = new MemoryStream();
        factorizer.SaveState(state);
        Task canceller = Alone(() =>
        {
            while (factorizer.Operations <= 1e8 && !source.IsCancellationRequested) Thread.Yield();
            source.Cancel();
        });
        Assert.Throws<OperationCanceledException>(() => factorizer.Run(null, source.Token));
        await canceller;
        Assert.Equal(0, factorizer.RoundsRun);
        Assert.Throws<InvalidOperationException>(() => factorizer.Run());
        Assert.Throws<InvalidOperationException>(() => factorizer.RunRounds(1));
        Assert.Throws<InvalidOperationException>(() => factorizer.SaveState(Stream.Null));
        state.Position = 0;
        factorizer.RestoreState(state);
        factorizer.RunRounds(1);
        Assert.Equal(1, factorizer.RoundsRun);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_turn_of_flips_that_is_cancelled_ends_at_once(bool withMetric)
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(700, 700, 11), outer = RandomMatrices.Gaussian(700, 700, 17), inner = RandomMatrices.Gaussian(700, 700, 18);
        using Matrix<float> activations = RandomMatrices.Gaussian(20, 700, 4);
        using LayerStatistics statistics = LayerStatistics.FromActivations(activations.View);
        using var target = new DbfTarget(weights.View, withMetric ? statistics : null, 0.5, ComputePool.Shared, default);
        float[] scales = [.. Enumerable.Repeat(0.3f, 700)];
        var iterate = new DbfIterate();
        iterate.TakeSigns(SignMatrix.FromSigns(outer.View), SignMatrix.FromSigns(inner.View));
        iterate.TakeScales(scales, scales, scales);
        using var source = new CancellationTokenSource();
        Task canceller = Alone(() =>
        {
            Thread.Sleep(20); // a turn takes far longer
            source.Cancel();
        });
        Assert.Throws<OperationCanceledException>(() => DbfSignFlips.Run(target, iterate, 1, ComputePool.Shared.CancelledBy(source.Token), null));
        await canceller;
    }

    [Fact]
    public void Cancelling_between_rounds_leaves_a_state_to_go_on_from()
    {
        using Matrix<float> weights = RandomMatrices.Gaussian(40, 30, 12);
        var options = new DbfOptions(middleDimension: 16, schedule: DbfSchedule.ForRate(0.5) with { Rounds = 12 });
        using DbfFactorizer whole = new(weights.View, options, new CompressionContext()), stopped = new(weights.View, options, new CompressionContext());
        using DbfWeight expected = whole.Run();
        using var source = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => stopped.Run(new Told(step =>
        {
            if (step is { Stage: DbfStage.Rounds, Step: 5 }) source.Cancel();
        }), source.Token));
        using DbfWeight rest = stopped.Run();
        Assert.Equal(whole.Error, stopped.Error);
        Assert.Equal(expected.OuterSigns.Bytes.ToArray(), rest.OuterSigns.Bytes.ToArray());
    }

    // A thread of its own: timers wait for those of the runtime, which other tests may have taken.
    private static Task Alone(Action action) => Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private sealed class Told(Action<DbfProgress>? then = null) : IProgress<DbfProgress>
    {
        public List<DbfProgress> All { get; } = [];

        public DbfProgress[] Of(DbfStage stage) => [.. All.Where(step => step.Stage == stage)];

        public void Report(DbfProgress value)
        {
            All.Add(value);
            then?.Invoke(value);
        }
    }
}
