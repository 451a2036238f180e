using System.Numerics;

namespace TensorCompress.Kernels;

/// <summary>Vectors of eight magnitudes that words choose from: a word is eight signs, where ordered four bits of the order of pairs, then an index; the least significant bit first.</summary>
/// <param name="Magnitudes">[vectors, 8]; a power of two of them.</param>
/// <param name="IsOrdered">Whether words hold the order of pairs.</param>
internal sealed record Codewords(byte[] Magnitudes, bool IsOrdered)
{
    public const int Dimension = 8, SignBits = 8, OrderBits = 4;

    public int IndexBits { get; } = BitOperations.Log2((uint)Magnitudes.Length / Dimension);

    /// <summary>Bits of a word.</summary>
    public int Bits => SignBits + (IsOrdered ? OrderBits : 0) + IndexBits;
}

/// <summary>A row as words without gaps: for every eight columns one, or two whose numbers are added.</summary>
/// <param name="First">What the first words choose from.</param>
/// <param name="Second">What the second ones choose from, if there are any.</param>
/// <param name="Ratio">What the numbers of the second ones are multiplied by: of so few bits that the sums are exact.</param>
internal sealed record CodewordFormat(Codewords First, Codewords? Second, float Ratio)
{
    /// <summary>Bits for eight columns.</summary>
    public int Bits { get; } = First.Bits + (Second?.Bits ?? 0);
}

/// <summary>A kind of word, known to the compiler.</summary>
internal interface ICodeword
{
    static abstract int IndexBits { get; }

    static abstract bool IsOrdered { get; }
}

/// <summary>Signs and one of 16.</summary>
internal readonly struct SignedWord4 : ICodeword
{
    public static int IndexBits => 4;

    public static bool IsOrdered => false;
}

/// <summary>Signs and one of 256.</summary>
internal readonly struct SignedWord8 : ICodeword
{
    public static int IndexBits => 8;

    public static bool IsOrdered => false;
}

/// <summary>Signs and one of 4096.</summary>
internal readonly struct SignedWord12 : ICodeword
{
    public static int IndexBits => 12;

    public static bool IsOrdered => false;
}

/// <summary>Signs, orders and one of 4096.</summary>
internal readonly struct OrderedWord12 : ICodeword
{
    public static int IndexBits => 12;

    public static bool IsOrdered => true;
}
