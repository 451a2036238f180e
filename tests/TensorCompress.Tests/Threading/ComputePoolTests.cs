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
