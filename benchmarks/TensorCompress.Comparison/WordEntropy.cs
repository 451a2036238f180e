using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Compression.Qet.Universal;
using TensorCompress.Inference;
using TensorCompress.Models;

namespace TensorCompress.Comparison;

/// <summary>
/// How the rows of a compressed model (<c>--model</c>) are stored as words of universal codebooks, and what entropy coding would take off them: the entropy of each part of a word, with one table for the whole model (its own bytes are not counted),
/// beside the bits that it has.
/// </summary>
internal static class WordEntropy
{
    public static void Run(Options options)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(options.Model ?? throw new ArgumentException("qet-entropy needs --model."));
        var tables = new SortedDictionary<(int Rate, string Part), long[]>();
        Console.WriteLine("| matrices | how many | form | rotated blocks | rows at bits: 1.5, 2, 2.5, 3, 4, 5 |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (IGrouping<string, LinearDefinition> kind in checkpoint.Definition.Blocks.SelectMany(block => block.Linears).GroupBy(linear => linear.Name.Split('.')[^1])) Describe(checkpoint, kind, tables);

        Console.WriteLine();
        Console.WriteLine("| bits of a vector | part | words | bits | entropy | gain, % of all words of the model |");
        Console.WriteLine("|---|---|---|---|---|---|");
        double all = tables.Sum(table => table.Value.Sum() * Math.Log2(table.Value.Length)), gains = 0;
        foreach (((int rate, string part), long[] counts) in tables)
        {
            double words = counts.Sum(), bits = Math.Log2(counts.Length), entropy = counts.Where(count => count > 0).Sum(count => -count / words * Math.Log2(count / words)), gain = words * (bits - entropy) / all;
            gains += gain;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {UniversalRate.All[rate].Bits} | {part} | {words} | {bits} | {entropy:F3} | {gain:P2} |"));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| all | | | | | {gains:P2} |"));
    }

    private static void Describe(ModelCheckpoint checkpoint, IGrouping<string, LinearDefinition> kind, SortedDictionary<(int Rate, string Part), long[]> tables)
    {
        int[] rows = new int[UniversalRate.All.Count];
        SortedSet<string> forms = [], rotations = [];
        foreach (LinearDefinition linear in kind)
        {
            using CompressedWeight weight = WeightLoader.ReadWeight(checkpoint, linear);
            forms.Add(weight.Method == QetMethod.Instance ? weight.Parameters["form"]!.GetValue<string>() : weight.Method.Name);
            if (weight is not UniversalWeight) continue;
            rotations.Add(weight.Parameters["rotation"]!.ToString());
            Count(weight, rows, tables);
        }

        Console.WriteLine($"| {kind.Key} | {kind.Count()} | {string.Join(", ", forms)} | {string.Join(", ", rotations)} | {string.Join(", ", rows)} |");
    }

    private static void Count(CompressedWeight weight, int[] rowsAt, SortedDictionary<(int Rate, string Part), long[]> tables)
    {
        byte[] codes = Bytes(weight, "codes");
        int segments = UniversalRows.SegmentsOf(weight.InputDimension), start = 0, common = weight.Parameters["rate"]!.GetValue<int>();
        byte[] rates = common == UniversalRate.All.Count ? Bytes(weight, "rates") : [];
        for (int row = 0; row < weight.OutputDimension; row++)
        {
            int index = rates.Length == 0 ? common : BitStream.Read(rates, (long)row * RateAllocation.RateBits, RateAllocation.RateBits);
            UniversalRate rate = UniversalRate.All[index];
            rowsAt[index]++;
            ReadOnlySpan<byte> words = codes.AsSpan(start, rate.RowBytes(segments));
            for (int segment = 0; segment < segments; segment++)
            {
                long bit = (long)segment * rate.Bits;
                Count(index, "first", rate.First, BitStream.Read(words, bit, rate.First.Bits), tables);
                if (rate.Second is { } second) Count(index, "second", second, BitStream.Read(words, bit + rate.First.Bits, second.Bits), tables);
            }

            start += words.Length;
        }
    }

    private static void Count(int rate, string stage, UniversalCodebook codebook, int word, SortedDictionary<(int Rate, string Part), long[]> tables)
    {
        int orders = codebook.IsOrdered ? 4 : 0;
        Table("codeword", codebook.Bits - 8 - orders, word >> (8 + orders));
        Table("signs", 8, word & 255);
        if (orders > 0) Table("order", orders, word >> 8 & 15);

        void Table(string part, int bits, int value)
        {
            if (!tables.TryGetValue((rate, $"{stage} {part}"), out long[]? counts)) tables.Add((rate, $"{stage} {part}"), counts = new long[1 << bits]);
            counts[value]++;
        }
    }

    private static byte[] Bytes(CompressedWeight weight, string part)
    {
        using var stream = new MemoryStream();
        weight.Parts.Single(candidate => candidate.Name == part).Write(stream);
        return stream.ToArray();
    }
}
