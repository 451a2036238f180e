using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Compression.Qet.Universal;
using TensorCompress.Inference;
using TensorCompress.Models;

namespace TensorCompress.Comparison;

/// <summary>
/// How the rows of a compressed model (<c>--model</c>, stored with entropy coding or without) are stored as words of universal codebooks, and what entropy coding takes off: the entropy of each part of a word, with one table for the whole
/// model (its own bytes are not counted), beside the bits that it has; then what the coder makes of every part of all weights.
/// </summary>
internal static class WordEntropy
{
    public static void Run(Options options)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(options.Model ?? throw new ArgumentException("qet-entropy needs --model."));
        var tables = new SortedDictionary<(int Rate, string Part), long[]>();
        var parts = new SortedDictionary<string, (long Plain, long Coded)>(StringComparer.Ordinal);
        Console.WriteLine("| matrices | how many | form | rotated blocks | rows at bits: 1.5, 2, 2.5, 3, 4, 5 |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (IGrouping<string, LinearDefinition> kind in checkpoint.Definition.Blocks.SelectMany(block => block.Linears).GroupBy(linear => linear.Name.Split('.')[^1])) Describe(checkpoint, kind, tables, parts);

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
        Console.WriteLine();
        Console.WriteLine("| part | bytes | entropy coded | less, % of all parts |");
        Console.WriteLine("|---|---|---|---|");
        double sum = parts.Values.Sum(bytes => bytes.Plain);
        foreach ((string part, (long plain, long coded)) in parts) Row(part, plain, coded);
        Row("all", parts.Values.Sum(bytes => bytes.Plain), parts.Values.Sum(bytes => bytes.Coded));
        void Row(string part, long plain, long coded) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {part} | {plain} | {coded} | {(plain - coded) / sum:P2} |"));
    }

    private static void Describe(
        ModelCheckpoint checkpoint, IGrouping<string, LinearDefinition> kind, SortedDictionary<(int Rate, string Part), long[]> tables, SortedDictionary<string, (long Plain, long Coded)> parts)
    {
        int[] rows = new int[UniversalRate.All.Count];
        SortedSet<string> forms = [], rotations = [];
        foreach (LinearDefinition linear in kind)
        {
            using CompressedWeight weight = WeightLoader.ReadWeight(checkpoint, linear);
            forms.Add(weight.Method == QetMethod.Instance ? weight.Parameters["form"]!.GetValue<string>() : weight.Method.Name);
            if (weight is QetWeight fitted) Add(parts, fitted.PlainParts, fitted.WithEntropyCoding().Parts);
            if (weight is not UniversalWeight universal) continue;
            Add(parts, universal.PlainParts, universal.WithEntropyCoding().Parts);
            rotations.Add(weight.Parameters["rotation"]!.ToString());
            Count(universal.Rows, rows, tables);
        }

        Console.WriteLine($"| {kind.Key} | {kind.Count()} | {string.Join(", ", forms)} | {string.Join(", ", rotations)} | {string.Join(", ", rows)} |");
    }

    private static void Add(SortedDictionary<string, (long Plain, long Coded)> sums, IReadOnlyList<WeightPart> plain, IReadOnlyList<WeightPart> coded)
    {
        foreach ((WeightPart part, WeightPart stored) in plain.Zip(coded))
        {
            (long Plain, long Coded) sum = sums.GetValueOrDefault(part.Name);
            sums[part.Name] = (sum.Plain + part.ByteLength, sum.Coded + stored.ByteLength);
        }
    }

    private static void Count(UniversalRows matrix, int[] rowsAt, SortedDictionary<(int Rate, string Part), long[]> tables)
    {
        int start = 0;
        foreach (byte index in matrix.Rates)
        {
            UniversalRate rate = UniversalRate.All[index];
            rowsAt[index]++;
            ReadOnlySpan<byte> words = matrix.Codes.Slice(start, rate.RowBytes(matrix.Segments));
            for (int segment = 0; segment < matrix.Segments; segment++)
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
}
