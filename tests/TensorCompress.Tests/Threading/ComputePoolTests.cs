using System.Diagnostics;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Threading;

public class ComputePoolTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(8)]
    public void Every_index_is_covered_exactly_once(int threads)
    {
        using var pool = new ComputePool(threads);
        Assert.Equal(threads, pool.Threads);
        foreach (int count in new[] { 0, 1, 2, 7, 63, 64, 65, 1000, 4097 })
        {
            foreach (int grain in new[] { 1, 2, 16, 100, 5000 })
            {
                int[] visits = new int[count];
                pool.For(count, grain, (start, end) =>
                {
                    Assert.True(start < end && end <= count && start % grain == 0, $"range {start} to {end} of {count} by {grain}");
                    Assert.True(end == count || end % grain == 0, $"range {start} to {end} of {count} by {grain}");
                    for (nint i = start; i < end; i++) Interlocked.Increment(ref visits[i]);
                });
                Assert.All(visits, visit => Assert.Equal(1, visit));
            }
        }
    }

    [Fact]
    public async Task Several_threads_take_part()
    {
        using var pool = new ComputePool(4);
        using var together = new Barrier(4);
        // Four ranges that wait for each other end only when four threads run them.
        await Task.Run(() => pool.For(4, 1, (_, _) => together.SignalAndWait(Limit))).WaitAsync(Limit);
        Assert.Equal(1, together.CurrentPhaseNumber);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void An_exception_reaches_the_caller_and_the_pool_goes_on(int threads)
    {
        using var pool = new ComputePool(threads);
        for (int round = 0; round < 50; round++)
        {
            var thrown = Assert.Throws<InvalidDataException>(() => pool.For(64, 1, (start, end) =>
            {
                if (start <= 17 && 17 < end) throw new InvalidDataException("seventeen");
            }));
            Assert.Equal("seventeen", thrown.Message);
            Assert.Equal(64, Count(pool, 64));
        }
    }

    [Fact]
    public void A_loop_inside_a_loop_runs()
    {
        using var pool = new ComputePool(4);
        long total = 0;
        pool.For(20, 1, (start, end) =>
        {
            for (nint i = start; i < end; i++) Interlocked.Add(ref total, Count(pool, 50));
        });
        Assert.Equal(1000, total);
    }

    [Fact]
    public async Task Concurrent_callers_each_get_their_whole_loop()
    {
        using var pool = new ComputePool(3);
        Task<long>[] callers =
        [
            .. Enumerable.Range(0, 6).Select(_ => Task.Run(() =>
            {
                long sum = 0;
                for (int round = 0; round < 2000; round++) sum += Count(pool, 33);
                return sum;
            })),
        ];
        Assert.All(await Task.WhenAll(callers).WaitAsync(Limit), visits => Assert.Equal(2000 * 33, visits));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public async Task A_hundred_thousand_small_loops_end(int threads)
    {
        using var pool = new ComputePool(threads);
        Task<long> task = Task.Run(() =>
        {
            long sum = 0;
            for (int round = 0; round < 100_000; round++) sum += Count(pool, 8);
            return sum;
        });
        Assert.Equal(800_000, await task.WaitAsync(Limit));
    }

    [Fact]
    public async Task Parked_threads_come_back()
    {
        using var pool = new ComputePool(3);
        for (int round = 0; round < 20; round++)
        {
            await Task.Delay(3); // longer than workers spin
            using var together = new Barrier(3);
            await Task.Run(() => pool.For(3, 1, (_, _) => together.SignalAndWait(Limit))).WaitAsync(Limit);
            Assert.Equal(1, together.CurrentPhaseNumber);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task No_wake_up_is_lost_around_the_moment_of_parking(int threads)
    {
        using var pool = new ComputePool(threads);
        var random = new Random(threads);
        await Task.Run(() =>
        {
            for (int round = 0; round < 1500; round++)
            {
                // Threads spin for 50 microseconds: pauses around that length meet them awake, parked and in between.
                for (long end = Stopwatch.GetTimestamp() + random.Next((int)(Stopwatch.Frequency / 10_000)); Stopwatch.GetTimestamp() < end;) Thread.SpinWait(1);
                using var together = new Barrier(threads);
                pool.For(threads, 1, together, static (_, _, together) => together.SignalAndWait(Limit));
                Assert.Equal(1, together.CurrentPhaseNumber);
            }
        }).WaitAsync(Limit);
    }

    [Fact]
    public async Task A_caller_that_waits_long_for_others_is_woken()
    {
        using var pool = new ComputePool(2);
        await Task.Run(() =>
        {
            for (int round = 0; round < 20; round++)
            {
                int caller = Environment.CurrentManagedThreadId;
                using var together = new Barrier(2);
                pool.For(2, 1, (_, _) =>
                {
                    together.SignalAndWait(Limit);
                    if (Environment.CurrentManagedThreadId != caller) Thread.Sleep(2);
                });
            }
        }).WaitAsync(Limit);
    }

    [Fact]
    public async Task Callers_of_different_states_failures_and_nested_loops_do_not_disturb_each_other()
    {
        using var pool = new ComputePool(3);
        Task[] callers =
        [
            .. Enumerable.Range(0, 16).Select(caller => Task.Run(() =>
            {
                for (int round = 0; round < 300; round++)
                {
                    int[] visits = new int[1 + (caller + round) % 70];
                    switch ((caller + round) % 4)
                    {
                        case 0:
                            pool.For(visits.Length, 1, visits, static (start, end, visits) => { for (nint i = start; i < end; i++) visits[i]++; });
                            break;
                        case 1:
                            pool.For(visits.Length, 2, (visits, 1), static (start, end, state) => { for (nint i = start; i < end; i++) state.visits[i] += state.Item2; });
                            break;
                        case 2:
                            pool.For(visits.Length, 3, (start, end) => pool.For(end - start, 1, (visits, start), static (first, last, state) =>
                            {
                                for (nint i = first; i < last; i++) state.visits[state.start + i]++;
                            }));
                            break;
                        default:
                            Assert.Equal($"{caller} {round}", Assert.Throws<InvalidDataException>(() => pool.For(70, 1, $"{caller} {round}", static (start, end, text) =>
                            {
                                if (end == 70) throw new InvalidDataException(text);
                            })).Message);
                            continue;
                    }

                    Assert.All(visits, visit => Assert.Equal(1, visit));
                }
            })),
        ];
        await Task.WhenAll(callers).WaitAsync(Limit);
    }

    [Fact]
    public void A_loop_with_its_state_allocates_nothing()
    {
        using var pool = new ComputePool(3);
        float[] values = new float[100];
        void Run() => pool.For(values.Length, 1, (values, 1f), static (start, end, state) => { for (nint i = start; i < end; i++) state.values[i] += state.Item2; });
        Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 100; round++) Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.All(values, value => Assert.Equal(101, value));
    }

    [Fact]
    public void Loops_beyond_four_thousand_million_indexes_are_covered()
    {
        if (nint.Size < 8) return;
        using var pool = new ComputePool(2);
        nint count = unchecked((nint)((6L << 30) + 1));
        long covered = 0;
        pool.For(count, 1, (start, end) => Interlocked.Add(ref covered, end - start));
        Assert.Equal(count, (nint)covered);
    }

    [Fact]
    public async Task Disposal_ends_the_threads_and_can_be_repeated()
    {
        for (int round = 0; round < 30; round++)
        {
            var pool = new ComputePool(4);
            if (round % 2 == 0) Count(pool, 10);
            await Task.Run(pool.Dispose).WaitAsync(Limit);
            pool.Dispose();
            Assert.Throws<ObjectDisposedException>(() => Count(pool, 10));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_cancelled_pool_begins_no_other_range_and_leaves_its_owner_alone(int threads)
    {
        using var pool = new ComputePool(threads);
        using var source = new CancellationTokenSource();
        ComputePool cancelled = pool.CancelledBy(source.Token);
        Assert.Equal((threads, 100), (cancelled.Threads, Count(cancelled, 100)));
        int ranges = 0;
        void CancelInFirst(nint start, nint end)
        {
            Interlocked.Increment(ref ranges);
            source.Cancel();
            cancelled.For(10, 1, (_, _) => Interlocked.Add(ref ranges, 1000)); // a loop inside the body
        }

        Assert.Throws<OperationCanceledException>(() => cancelled.For(1000, 1, CancelInFirst));
        Assert.InRange(ranges, 1, threads);
        Assert.Throws<OperationCanceledException>(() => Count(cancelled, 100));
        Assert.Throws<OperationCanceledException>(cancelled.ThrowIfCancelled);
        cancelled.Dispose();
        Assert.Equal(100, Count(pool, 100));
    }

    [Fact]
    public void The_shared_pool_cannot_be_disposed()
    {
        ComputePool.Shared.Dispose();
        Assert.Equal(100, Count(ComputePool.Shared, 100));
        Assert.Equal(Environment.ProcessorCount, ComputePool.Shared.Threads);
    }

    [Fact]
    public void Impossible_sizes_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new ComputePool(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ComputePool(1025));
        using var pool = new ComputePool(1);
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.For(3, 0, (_, _) => { }));
        pool.For(-1, 1, (_, _) => Assert.Fail("nothing to do"));
    }

    private static long Count(ComputePool pool, int count)
    {
        long visits = 0;
        pool.For(count, 1, (start, end) => Interlocked.Add(ref visits, end - start));
        return visits;
    }
}
