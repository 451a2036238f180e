using TensorCompress.Fuzz;
using Xunit.Abstractions;

namespace TensorCompress.Tests.Fuzzing;

/// <summary>A hundred thousand damaged files, the same ones every time: no crash, no hang, no flood of memory, and only typed errors.</summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const int Inputs = 110_000;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5); // alone about five seconds

    public static TheoryData<string> Names
    {
        get
        {
            using var targets = new FuzzTargets();
            return [.. targets.All.Select(target => target.Name)];
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Damaged_files_end_in_typed_errors(string name)
    {
        using var targets = new FuzzTargets();
        FuzzTarget target = targets.All.Single(candidate => candidate.Name == name);
        int current = 0;
        Task<FuzzRun> work = Task.Factory.StartNew(() => FuzzRun.Of(target, first: 1, Inputs / targets.All.Count + 1, number => Volatile.Write(ref current, number)), TaskCreationOptions.LongRunning);
        await Task.WhenAny(work, Task.Delay(Patience));
        Assert.True(work.IsCompleted, $"{name}, input {current} or one near it does not end");
        FuzzRun run = await work;
        output.WriteLine(run.ToString());
        Assert.True(run.Faults.Count == 0, string.Join("\n", run.Faults));
        string[] gaps = [.. run.Gaps()];
        Assert.True(gaps.Length == 0, run + "\n" + string.Join("\n", gaps));
    }

    [Fact]
    public void A_parser_that_throws_anything_else_or_floods_the_memory_is_found()
    {
        FuzzTarget Target(Action<byte[]> parse) => new("wrong", [[1, 2, 3]], (mutator, seed) => mutator.Bytes(seed), parse) { HeaderKinds = new HashSet<string>(), ExpectedKinds = new HashSet<string> { "Magic" } };
        Assert.NotEmpty(FuzzRun.Of(Target(bytes => _ = bytes[2]), first: 1, runs: 200).Faults);
        Assert.NotEmpty(FuzzRun.Of(Target(bytes => GC.KeepAlive(new byte[65 << 20])), first: 1, runs: 1).Faults);
        FuzzRun harmless = FuzzRun.Of(Target(_ => { }), first: 1, runs: 10);
        Assert.Empty(harmless.Faults);
        Assert.Single(harmless.Gaps());
        Assert.Equal(FuzzRun.Input(Target(_ => { }), 7), FuzzRun.Input(Target(_ => { }), 7));
    }
}
