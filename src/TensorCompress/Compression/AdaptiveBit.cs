using System.Runtime.CompilerServices;

namespace TensorCompress.Compression;

/// <summary>How likely the next bit of one kind is 0, learnt from the bits of that kind before it. Integers only, so coder and decoder agree on every machine.</summary>
/// <remarks>
/// The probability is p in 2^-20, from 1/2; after n bits it moves by 1 / (n + 5) of the way to 255/256 (the bit was 0) or 1/256. These ends bound what a bit can cost, to 8 bits, and from below, to 0.0056 bits,
/// so that a short stream cannot stand for an endless number of bits.
/// </remarks>
internal struct AdaptiveBit
{
    private const int CountBits = 12, ProbabilityBits = 32 - CountBits, RateBits = 22, MostCount = (1 << CountBits) - 1;
    private const int Least = 1 << (ProbabilityBits - 8), Most = (1 << ProbabilityBits) - Least;

    private static readonly int[] Rates = [.. Enumerable.Range(0, MostCount + 1).Select(count => (1 << RateBits) / (count + 5))];

    private uint _state; // probability above, count below

    /// <summary>One of which nothing is known.</summary>
    public static AdaptiveBit Unknown => new() { _state = 1u << 31 };

    /// <summary>The probability of 0 in 2^-16, from 2^-8 to 1 - 2^-8.</summary>
    public readonly uint Probability => _state >> 16;

    /// <summary>Moves the probability towards a bit that came.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Learn(int bit)
    {
        int count = (int)(_state & MostCount), probability = (int)(_state >> CountBits), target = Most - (-bit & (Most - Least)); // bits cannot be foreseen: no branches
        probability += (int)(((long)(target - probability) * Rates[count] + (1 << (RateBits - 1))) >> RateBits);
        _state = (uint)probability << CountBits | (uint)Math.Min(count + 1, MostCount);
    }
}

/// <summary>Numbers of one kind below a count, bit by bit from the most significant one: each bit's probability depends on those above it.</summary>
internal sealed class AdaptiveNumber
{
    private readonly AdaptiveBit[] _nodes;
    private readonly int _bits, _end;

    /// <param name="count">Numbers are below; at least 1.</param>
    public AdaptiveNumber(int count)
    {
        _bits = 32 - int.LeadingZeroCount(count - 1);
        _end = count + (1 << _bits);
        _nodes = new AdaptiveBit[1 << _bits];
        Array.Fill(_nodes, AdaptiveBit.Unknown);
    }

    /// <summary>Codes a number, or decodes one.</summary>
    /// <param name="coder">An encoder, or a decoder.</param>
    /// <param name="number">The number; a decoder does not look at it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Code<TCoder>(ref TCoder coder, int number)
        where TCoder : struct, IEntropyCoder
    {
        int node = 1; // a one, then the bits so far
        for (int shift = _bits - 1; shift >= 0; shift--)
        {
            int one = node << 1 | 1;
            node = one << shift >= _end ? one - 1 : one - 1 | coder.Bit(ref _nodes[node], number >> shift & 1); // what would be too large is not coded
        }

        return node - (1 << _bits);
    }
}
