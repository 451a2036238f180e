using System.Runtime.Intrinsics;
using TensorCompress.Kernels;

namespace TensorCompress.Compression.Qet.Universal;

/// <summary>
/// Codewords for eight independent normal numbers, the same for every matrix. A vector gives up its signs and, where the codebook is ordered, the order within each of its four pairs (one swap layer); the
/// codeword nearest to what remains is stored. A codebook of n codewords so stands for 2^8 n or 2^12 n points.
/// </summary>
/// <remarks>A word is signs (bit k for number k, 1 for negative), then, where ordered, four bits (1 where the pair is ascending), then the codeword's index. Numbers of codewords are in steps of 1/64.</remarks>
internal sealed class UniversalCodebook
{
    /// <summary>Numbers of a vector.</summary>
    public const int Dimension = 8;

    /// <summary>Steps of a codeword in a standard deviation.</summary>
    public const float Steps = 64;

    private const int Signs = 8, Orders = 4;

    private readonly float[] _numbers;
    private readonly float[] _packed;
    private readonly Lazy<LengthOrder> _order;

    private UniversalCodebook(string name, bool isOrdered)
    {
        string resource = $"{typeof(UniversalCodebook).Namespace}.{name}.bin";
        using Stream stream = typeof(UniversalCodebook).Assembly.GetManifestResourceStream(resource) ?? throw new InvalidOperationException($"The resource {resource} is missing.");
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        _numbers = [.. bytes.Select(number => (float)number)];
        _packed = NearestCodeword.Pack([.. _numbers.Select(number => number / Steps)], Dimension);
        Codewords = new Codewords(bytes, isOrdered);
        IsOrdered = isOrdered;
        IndexShift = Signs + (isOrdered ? Orders : 0);
        Bits = IndexShift + int.Log2(Count);
        _order = new Lazy<LengthOrder>(() => new LengthOrder([.. bytes.Chunk(Dimension).Select(codeword => (double)codeword.Sum(number => number * number))]));
    }

    /// <summary>Signs and 16 codewords: 12 bits for eight numbers.</summary>
    public static UniversalCodebook Signs16 { get; } = new("Signs16", isOrdered: false);

    /// <summary>Signs and 256 codewords: 16 bits.</summary>
    public static UniversalCodebook Signs256 { get; } = new("Signs256", isOrdered: false);

    /// <summary>Signs and 4096 codewords: 20 bits.</summary>
    public static UniversalCodebook Signs4096 { get; } = new("Signs4096", isOrdered: false);

    /// <summary>Signs, one swap layer and 4096 codewords: 24 bits.</summary>
    public static UniversalCodebook OrderedSigns4096 { get; } = new("OrderedSigns4096", isOrdered: true);

    /// <summary>Whether pairs of codewords are ascending and words hold their order.</summary>
    public bool IsOrdered { get; }

    /// <summary>What products read.</summary>
    public Codewords Codewords { get; }

    /// <summary>Codewords.</summary>
    public int Count => _numbers.Length / Dimension;

    /// <summary>Bits of a word.</summary>
    public int Bits { get; }

    /// <summary>Bits of a word below the codeword's index.</summary>
    public int IndexShift { get; }

    /// <summary>Codewords by their lengths.</summary>
    public LengthOrder Order => _order.Value;

    /// <summary>The word whose vector is nearest.</summary>
    /// <param name="x">Finite; in standard deviations.</param>
    public int Encode(ReadOnlySpan<float> x)
    {
        Span<float> rest = stackalloc float[Dimension];
        int word = 0, shift = Signs;
        for (int k = 0; k < Dimension; k++)
        {
            if (x[k] < 0) word |= 1 << k;
            rest[k] = Math.Abs(x[k]);
        }

        if (IsOrdered)
        {
            for (int p = 0; p < Orders; p++)
            {
                if (rest[2 * p] < rest[2 * p + 1]) word |= 1 << (Signs + p);
                else (rest[2 * p], rest[2 * p + 1]) = (rest[2 * p + 1], rest[2 * p]);
            }

            shift += Orders;
        }

        return word | NearestCodeword.Find(rest, _packed) << shift;
    }

    /// <summary>The vector of a word, in steps: integers.</summary>
    public Vector256<float> Decode(int word)
    {
        Vector256<int> negative = Vector256.Equals(Vector256.Create(word) & Vector256.Create(1, 2, 4, 8, 16, 32, 64, 128), Vector256<int>.Zero);
        Vector256<float> numbers = Vector256.LoadUnsafe(ref _numbers[(word >> (IsOrdered ? Signs + Orders : Signs)) * Dimension]);
        if (IsOrdered)
        {
            Vector256<int> isDescending = Vector256.Equals(Vector256.Create(word >> Signs) & Vector256.Create(1, 1, 2, 2, 4, 4, 8, 8), Vector256<int>.Zero);
            numbers = Vector256.ConditionalSelect(isDescending.AsSingle(), Vector256.Shuffle(numbers, Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6)), numbers);
        }

        return Vector256.AndNot(Vector256.Create(-0f), negative.AsSingle()) ^ numbers;
    }
}
