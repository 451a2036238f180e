using System.Numerics;
using System.Text;

namespace TensorCompress.Numerics;

/// <summary>
/// Reproducible random numbers: xoshiro256** (Blackman and Vigna, 2018), its state filled from one seed by SplitMix64. The sequence of a seed is part of the stored
/// results of this library and never changes, on any machine. Not thread-safe: give every unit of work its own generator by <see cref="Fork(ulong)"/>.
/// </summary>
public sealed class SeededRandom
{
    private const ulong GoldenGamma = 0x9E3779B97F4A7C15;

    private readonly ulong _seed;
    private ulong _s0;
    private ulong _s1;
    private ulong _s2;
    private ulong _s3;
    private double _spareGaussian = double.NaN;

    /// <summary>Starts the sequence of a seed.</summary>
    public SeededRandom(ulong seed)
    {
        _seed = seed;
        ulong state = seed;
        _s0 = SplitMix(ref state);
        _s1 = SplitMix(ref state);
        _s2 = SplitMix(ref state);
        _s3 = SplitMix(ref state);
    }

    /// <summary>64 random bits.</summary>
    public ulong NextUInt64()
    {
        ulong result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        ulong shifted = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= shifted;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>An integer from 0 to <paramref name="limit"/> - 1, every one equally likely.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The limit is not positive.</exception>
    public int NextInt32(int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        // Multiply-shift; products whose low half lies below 2^64 mod limit would favour some results and are drawn again.
        ulong reject = (0 - (ulong)limit) % (ulong)limit;
        while (true)
        {
            ulong high = Math.BigMul(NextUInt64(), (ulong)limit, out ulong low);
            if (low >= reject) return (int)high;
        }
    }

    /// <summary>Uniform in [0, 1), a multiple of 2^-53.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [0, 1), a multiple of 2^-24.</summary>
    public float NextSingle() => (NextUInt64() >> 40) * (1.0f / (1U << 24));

    /// <summary>Normal with mean 0 and variance 1 (Marsaglia's polar method; the second value of a pair comes with the next call).</summary>
    /// <remarks>The logarithm is the one of <see cref="Math.Log(double)"/>: a platform whose last bit differs there differs here by as much.</remarks>
    public double NextGaussian()
    {
        if (!double.IsNaN(_spareGaussian))
        {
            double spare = _spareGaussian;
            _spareGaussian = double.NaN;
            return spare;
        }

        double x, y, square;
        do
        {
            x = 2 * NextDouble() - 1;
            y = 2 * NextDouble() - 1;
            square = x * x + y * y;
        }
        while (square is >= 1 or 0);
        double factor = Math.Sqrt(-2 * Math.Log(square) / square);
        _spareGaussian = y * factor;
        return x * factor;
    }

    /// <summary>A generator of its own for a part of the work. It depends on the seed and the number only, not on what was drawn before.</summary>
    public SeededRandom Fork(ulong stream)
    {
        ulong state = stream ^ GoldenGamma;
        ulong mixed = SplitMix(ref state) + BitOperations.RotateLeft(_seed, 32);
        return new SeededRandom(SplitMix(ref mixed));
    }

    /// <summary>A generator of its own for a named part of the work (64-bit FNV-1a over the name's UTF-8 bytes).</summary>
    public SeededRandom Fork(string stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ulong hash = 0xCBF29CE484222325;
        foreach (byte value in Encoding.UTF8.GetBytes(stream)) hash = (hash ^ value) * 0x100000001B3;
        return Fork(hash);
    }

    private static ulong SplitMix(ref ulong state)
    {
        ulong z = state += GoldenGamma;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
