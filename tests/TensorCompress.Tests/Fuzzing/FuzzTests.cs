using TensorCompress.Fuzz;
using Xunit.Abstractions;

namespace TensorCompress.Tests.Fuzzing;

/// <summary>A hundred thousand damaged files, the same ones every time: no crash, no hang, no flood of memory, and only typed errors.</summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const int Inputs = 100_000;

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
    public void Damaged_files_end_in_typed_errors(string name)
    {
        using var targets = new FuzzTargets();
        FuzzTarget target = targets.All.Single(candidate => candidate.Name == name);
        FuzzRun run = FuzzRun.Of(target, first: 1, Inputs / targets.All.Count + 1);
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
