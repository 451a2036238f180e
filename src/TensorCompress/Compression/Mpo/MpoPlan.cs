namespace TensorCompress.Compression.Mpo;

/// <summary>How an operator multiplies.</summary>
public enum MpoPlan
{
    /// <summary>The cheapest way for one token by the shape alone, for all numbers of tokens: a token has the same bits alone and in a batch.</summary>
    ByShape,

    /// <summary>The cheapest way by shape and number of tokens: bits may differ between a token alone and in a batch.</summary>
    Fastest,

    /// <summary>Core by core from the last site.</summary>
    FromRight,

    /// <summary>Core by core from the first site.</summary>
    FromLeft,

    /// <summary>W is rebuilt, a few columns at a time, in a buffer that is used again.</summary>
    Rebuild,
}
