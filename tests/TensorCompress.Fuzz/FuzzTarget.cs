namespace TensorCompress.Fuzz;

/// <summary>A parser under test.</summary>
/// <param name="Name">Its name, as <c>--target</c> takes it.</param>
/// <param name="Seeds">Valid files.</param>
/// <param name="Mutate">Makes an input of a seed.</param>
/// <param name="Parse">Parses an input; returns, or throws the parser's typed exception.</param>
public sealed record FuzzTarget(string Name, IReadOnlyList<byte[]> Seeds, Func<Mutator, byte[], byte[]> Mutate, Action<byte[]> Parse)
{
    /// <summary>The kinds of error that stand for an input which is not even of the format; at most 70 % of the inputs may end there.</summary>
    public required IReadOnlySet<string> HeaderKinds { get; init; }

    /// <summary>The kinds of error that must be reached.</summary>
    public required IReadOnlySet<string> ExpectedKinds { get; init; }
}
