using System.Numerics;

namespace TensorCompress.Tests.TestKit;

/// <summary>A second decoder of entropy-coded parts, written from docs/format.md alone: one number of any length instead of a window of 32 bits, lists of bits instead of packed words.</summary>
internal sealed class FormatStream
{
    private readonly Dictionary<(object Model, int Width, int Above), (long P, int Count)> _models = [];
    private readonly int _bytes;
    private BigInteger _rest; // the stream less low, in units of its last byte
    private BigInteger _unit; // the unit of range, in the same
    private long _range = uint.MaxValue;
    private int _digits = 4;

    public FormatStream(byte[] stream)
    {
        _bytes = stream.Length;
        _rest = new BigInteger(stream, isUnsigned: true, isBigEndian: true);
        _unit = BigInteger.Pow(256, stream.Length - 4);
    }

    /// <summary>Whether everything was used and nothing is left.</summary>
    public bool IsAtEnd => _rest.IsZero && _digits == _bytes;

    public int Uniform(int n)
    {
        long part = _range / n;
        int v = (int)(_rest / (_unit * part));
        Take(v * part, part);
        return v;
    }

    public int Modelled(object model, int n)
    {
        int width = 0, v = 0;
        while (1L << width < n) width++;
        for (int shift = width - 1; shift >= 0; shift--)
        {
            v *= 2;
            if ((long)(v + 1) << shift >= n) continue;
            v += Bit((model, width - shift, v));
        }

        return v;
    }

    public int Bit((object, int, int) model)
    {
        (long p, int k) = _models.GetValueOrDefault(model, (1L << 19, 0));
        long lower = _range / 65536 * (p / 16);
        int bit = _rest >= _unit * lower ? 1 : 0;
        Take(bit * lower, bit == 0 ? lower : _range - lower);
        long t = bit == 0 ? 255 * 4096 : 4096;
        _models[model] = (p + (long)Math.Floor(((t - p) * ((1 << 22) / (Math.Min(k, 4095) + 5)) + (1 << 21)) / (double)(1 << 22)), k + 1);
        return bit;
    }

    /// <summary>A code of vectors with these squared lengths, and its class.</summary>
    public (int Code, int Class) Code(object model, double[] lengths)
    {
        int count = lengths.Length, classes = Math.Min(16, count), k = Modelled(model, classes);
        int Start(int index) => (index * count + classes - 1) / classes;
        int place = Start(k) + Uniform(Start(k + 1) - Start(k));
        return (Enumerable.Range(0, count).OrderBy(code => lengths[code]).ThenBy(code => code).ElementAt(place), k);
    }

    public int Half(object model) => Modelled(model, 512) * 128 + Uniform(128);

    /// <summary>The part <c>codes</c> of the universal form.</summary>
    public byte[] Words(int[] rates, int segments)
    {
        (string Name, int Tosses) signs16 = ("Signs16", 8), signs256 = ("Signs256", 8), signs4096 = ("Signs4096", 8), ordered = ("OrderedSigns4096", 12);
        (string Name, int Tosses)[][] words = [[signs16], [signs256], [signs4096], [ordered], [signs256, signs256], [ordered, signs256]];
        var bytes = new List<byte>();
        foreach (int rate in rates)
        {
            var bits = new List<int>();
            for (int segment = 0; segment < segments; segment++)
            {
                int kind = -1;
                foreach ((string name, int tosses) in words[rate])
                {
                    double[] lengths = Lengths[name];
                    (int code, int index) = Code((rate, kind), lengths);
                    int lower = Uniform(1 << tosses);
                    for (int b = 0; b < tosses; b++) bits.Add(lower >> b & 1);
                    for (int b = 0; 1 << b < lengths.Length; b++) bits.Add(code >> b & 1);
                    kind = 8 * index / Math.Min(16, lengths.Length);
                }
            }

            bytes.AddRange(Pack(bits));
        }

        return [.. bytes];
    }

    /// <summary>A part <c>swapsN</c>.</summary>
    public byte[] Swaps(int rows, int columns, int layers)
    {
        var bits = new List<int>();
        for (int row = 0; row < rows; row++)
        {
            for (int layer = 1; layer <= layers; layer++)
            {
                for (int pair = 0; pair < columns / 2; pair++) bits.Add(Bit((layer, 0, pair / (columns >> layer))));
            }
        }

        return Pack(bits);
    }

    /// <summary>A part <c>codebookN</c>.</summary>
    public byte[] Codebook(int groups, int perGroup, int width)
    {
        int modelled = Math.Min(6, width);
        return Pack(Enumerable.Range(0, groups * perGroup).SelectMany(i =>
        {
            int number = (Modelled(perGroup >= 256 ? i / perGroup : 0, 1 << modelled) << (width - modelled)) + Uniform(1 << (width - modelled));
            return Enumerable.Range(0, width).Select(b => number >> b & 1);
        }));
    }

    /// <summary>Codes of a stage, [row, group].</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="lengths">Squared lengths of each group's centroids.</param>
    /// <param name="before">Four times the class over the classes of the codes of the stage before; null for the first stage.</param>
    public int[,] Codes(int rows, double[][] lengths, int[,]? before)
    {
        var codes = new int[rows, lengths.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int group = 0; group < lengths.Length; group++) codes[row, group] = Code(before?[row, group] ?? 0, lengths[group]).Code;
        }

        return codes;
    }

    /// <summary>The class that begins at place ceil(k K / C) or before, by counting shorter vectors.</summary>
    public static int ClassOf(double[] lengths, int code)
    {
        int classes = Math.Min(16, lengths.Length), place = lengths.Where((length, other) => length < lengths[code] || (length == lengths[code] && other < code)).Count(), k = 0;
        while (k + 1 < classes && ((k + 1) * lengths.Length + classes - 1) / classes <= place) k++;
        return k;
    }

    /// <summary>Bits in bytes, the least significant one first.</summary>
    public static byte[] Pack(IEnumerable<int> bits) => [.. bits.Chunk(8).Select(chunk => (byte)chunk.Select((bit, index) => bit << index).Sum())];

    /// <summary>A codebook of the universal form, a byte for each number, codeword after codeword.</summary>
    public static byte[] Codewords(string name) => Codebooks[name];

    private static Dictionary<string, byte[]> Codebooks { get; } = new[] { "Signs16", "Signs256", "Signs4096", "OrderedSigns4096" }.ToDictionary(name => name, name =>
    {
        using Stream stream = typeof(Tensors.ElementTypes).Assembly.GetManifestResourceStream($"TensorCompress.Compression.Qet.Universal.{name}.bin")!;
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    });

    private static Dictionary<string, double[]> Lengths { get; } = Codebooks.ToDictionary(entry => entry.Key, entry => (double[])[.. entry.Value.Chunk(8).Select(codeword => (double)codeword.Sum(number => number * number))]);

    private void Take(long start, long length)
    {
        _rest -= _unit * start;
        _range = length;
        for (; _range < 1 << 24; _range *= 256, _digits++) _unit /= 256;
    }
}
