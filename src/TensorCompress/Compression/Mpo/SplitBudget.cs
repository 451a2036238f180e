namespace TensorCompress.Compression.Mpo;

/// <summary>What each of several splits may have, so that they can be compared: as many parameters as the usual one, and no more bytes than a limit in bytes allows, scales included.</summary>
/// <param name="Parameters">Elements of all cores.</param>
/// <param name="Bytes">Bytes of the stored cores; null for no limit.</param>
/// <param name="Format">How cores are stored.</param>
internal sealed record SplitBudget(long Parameters, long? Bytes = null, CoreFormat Format = CoreFormat.F32)
{
    /// <summary>Whether bonds r_0 ... r_L of a split are within it.</summary>
    public bool Allows(SiteFactors factors, int[] bonds) => factors.ParameterCount(bonds) <= Parameters && (Bytes is not long bytes || Format.ByteLength(factors, bonds) <= bytes);

    /// <summary>Whether bond dimension 1 is within it.</summary>
    public bool Allows(SiteFactors factors) => Allows(factors, factors.Bonds(1));

    /// <summary>The bonds of the largest even bond dimension within it.</summary>
    public int[] Largest(SiteFactors factors) => MpoTruncation.Largest(factors, bonds => Allows(factors, bonds), least => $"{Parameters} parameters are less than the {factors.ParameterCount(least)} of bond dimension 1.");
}
