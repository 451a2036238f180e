using System.Text.Json;

namespace TensorCompress.Tests.TestKit;

/// <summary>The method <c>qet</c> for <see cref="FormatReader"/>, written from docs/format.md alone, in plain loops and doubles.</summary>
internal static class FormatCodebooks
{
    private static readonly (string First, string? Second, double Ratio)[] Rates =
    [
        ("Signs16", null, 0), ("Signs256", null, 0), ("Signs4096", null, 0), ("OrderedSigns4096", null, 0), ("Signs256", "Signs256", 5 / 16.0), ("OrderedSigns4096", "Signs256", 5 / 32.0),
    ];

    /// <summary>W.</summary>
    /// <param name="parameters">Of the layer.</param>
    /// <param name="part">The bytes of a part as they are stored.</param>
    /// <param name="rows">Rows of W.</param>
    /// <param name="columns">Its columns.</param>
    public static double[,] Decode(JsonElement parameters, Func<string, byte[]> part, int rows, int columns)
    {
        string form = parameters.GetProperty("form").GetString()!;
        byte[] Plain(string name, Func<FormatStream, byte[]> decode) =>
            parameters.TryGetProperty("entropy_coded", out JsonElement coded) && coded.TryGetProperty(name, out _) ? decode(new FormatStream(part(name))) : part(name);
        if (form == "universal") return Universal(parameters, part, Plain, rows, columns);
        double[,] values = Fitted(parameters, part, Plain, rows, columns);
        if (form == "hadamard") return Rotated(values, Enumerable.Range(0, 9).Select(power => 1 << power).Last(width => columns % width == 0));
        return form == "rotated" ? InAxes(values, Plain("rotation", stream => [.. Enumerable.Range(0, columns * columns).SelectMany(_ => BitConverter.GetBytes((ushort)stream.Half("")))])) : values;
    }

    // A sum of stages, each behind swaps.
    private static double[,] Fitted(JsonElement parameters, Func<string, byte[]> part, Func<string, Func<FormatStream, byte[]>, byte[]> plain, int rows, int columns)
    {
        int[] List(string name) => [.. parameters.GetProperty(name).EnumerateArray().Select(number => number.GetInt32())];
        int[] layers = List("swap_layers"), centroids = List("centroids");
        int groups = parameters.GetProperty("subspaces").GetInt32(), width = parameters.GetProperty("codebook_bits").GetInt32();
        bool isGridPerGroup = parameters.GetProperty("grid_per_group").GetBoolean();
        int d = columns / groups;
        var sum = new double[rows, columns];
        int[,]? kinds = null;
        for (int s = 0; s < layers.Length; s++)
        {
            int count = centroids[s], perGroup = d * count, codeBits = (int)Math.Ceiling(Math.Log2(count));
            byte[] swaps = layers[s] == 0 ? [] : plain($"swaps{s}", stream => stream.Swaps(rows, columns, layers[s])), numbers = plain($"codebook{s}", stream => stream.Codebook(groups, perGroup, width));
            float[] scales = width == 32 ? [] : [.. part($"scales{s}").Chunk(4).Select(chunk => BitConverter.ToSingle(chunk))];
            float[] codebook = [.. Enumerable.Range(0, groups * perGroup).Select(i =>
            {
                int grid = isGridPerGroup ? i / perGroup : 0;
                return width == 32 ? BitConverter.ToSingle(numbers, 4 * i) : (float)(scales[2 * grid] + Number(numbers, (long)i * width, width) * (double)scales[2 * grid + 1]);
            })];
            double[][] lengths = [.. codebook.Chunk(perGroup).Select(group => (double[])[.. group.Chunk(d).Select(centroid => centroid.Aggregate(0.0, (total, number) => total + (double)number * number))])];
            int[,]? before = kinds;
            byte[] codes = count == 1 ? [] : plain($"codes{s}", stream => FormatStream.Pack(stream.Codes(rows, lengths, before).Cast<int>().SelectMany(code => Enumerable.Range(0, codeBits).Select(b => code >> b & 1))));
            kinds = new int[rows, groups];
            for (int row = 0; row < rows; row++)
            {
                var leaf = new double[columns];
                for (int group = 0; group < groups; group++)
                {
                    int code = Number(codes, (long)(row * groups + group) * codeBits, codeBits);
                    kinds[row, group] = 4 * FormatStream.ClassOf(lengths[group], code) / Math.Min(16, count);
                    for (int k = 0; k < d; k++) leaf[group * d + k] = codebook[(group * count + code) * d + k];
                }

                for (int layer = layers[s]; layer >= 1; layer--) leaf = Exchanged(leaf, layer, swaps, ((long)row * layers[s] + layer - 1) * (columns / 2));
                for (int k = 0; k < columns; k++) sum[row, k] += leaf[k];
            }
        }

        return sum;
    }

    private static double[] Exchanged(double[] values, int layer, byte[] swaps, long firstBit)
    {
        int length = values.Length >> (layer - 1), half = length / 2;
        var result = new double[values.Length];
        for (int segment = 0; segment < 1 << (layer - 1); segment++)
        {
            for (int p = 0; p < half; p++, firstBit++)
            {
                double low = values[segment * length + p], high = values[segment * length + half + p];
                bool isAscending = Number(swaps, firstBit, 1) == 1;
                (result[segment * length + 2 * p], result[segment * length + 2 * p + 1]) = isAscending ? (low, high) : (high, low);
            }
        }

        return result;
    }

    private static double[,] Universal(JsonElement parameters, Func<string, byte[]> part, Func<string, Func<FormatStream, byte[]>, byte[]> plain, int rows, int columns)
    {
        int rate = parameters.GetProperty("rate").GetInt32(), vectors = (columns + 7) / 8;
        int[] rates = [.. Enumerable.Repeat(rate, rows)];
        if (rate == 6)
        {
            byte[] bytes = plain("rates", stream => FormatStream.Pack(rates.SelectMany(_ => stream.Modelled("", 6) is var number ? new[] { number & 1, number >> 1 & 1, number >> 2 } : [])));
            rates = [.. rates.Select((_, row) => Number(bytes, 3 * row, 3))];
        }

        byte[] codes = plain("codes", stream => stream.Words(rates, vectors));
        double[] scales = parameters.GetProperty("scales").GetString() == "F32"
            ? [.. part("scales").Chunk(4).Select(chunk => (double)BitConverter.ToSingle(chunk))]
            : [.. plain("scales", stream => [.. rates.SelectMany(index => BitConverter.GetBytes((ushort)stream.Half(index)))]).Chunk(2).Select(chunk => (double)BitConverter.ToHalf(chunk))];
        var values = new double[rows, columns];
        long at = 0;
        for (int row = 0; row < rows; row++)
        {
            (string first, string? second, double ratio) = Rates[rates[row]];
            for (int vector = 0; vector < vectors; vector++)
            {
                double[] sum = Word(first);
                if (second is not null) sum = [.. sum.Zip(Word(second), (a, b) => a + ratio * b)];
                for (int k = 0; k < 8 && 8 * vector + k < columns; k++) values[row, 8 * vector + k] = scales[row] / 64 * sum[k];
            }

            at = (at + 7) / 8 * 8;
        }

        return Rotated(values, parameters.GetProperty("rotation").GetInt32());

        double[] Word(string codebook)
        {
            byte[] bytes = FormatStream.Codewords(codebook);
            bool isOrdered = codebook == "OrderedSigns4096";
            int lower = isOrdered ? 12 : 8, indexBits = (int)Math.Log2(bytes.Length / 8), word = Number(codes, at, lower + indexBits), index = word >> lower;
            at += lower + indexBits;
            return [.. Enumerable.Range(0, 8).Select(k =>
            {
                bool isExchanged = isOrdered && (word >> (8 + k / 2) & 1) == 0;
                return (word >> k & 1) == 1 ? -(double)bytes[8 * index + (isExchanged ? k ^ 1 : k)] : bytes[8 * index + (isExchanged ? k ^ 1 : k)];
            })];
        }
    }

    // S H: Sylvester's matrix has -1 where the bits that row and column share are odd in number.
    private static double[,] Rotated(double[,] values, int width)
    {
        if (width == 1) return values;
        (int rows, int columns) = (values.GetLength(0), values.GetLength(1));
        var result = new double[rows, columns];
        for (int row = 0; row < rows; row++)
        {
            ulong state = 0;
            for (int j = 0; j < columns; j++)
            {
                state += 0x9E3779B97F4A7C15;
                ulong z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
                z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
                z ^= z >> 31;
                int block = j / width * width;
                double sum = Enumerable.Range(0, width).Sum(k => values[row, block + k] * (int.PopCount(k & (j - block)) % 2 == 0 ? 1 : -1)) / Math.Sqrt(width);
                result[row, j] = z >> 63 == 1 ? -sum : sum;
            }
        }

        return result;
    }

    private static double[,] InAxes(double[,] values, byte[] axes)
    {
        (int rows, int columns) = (values.GetLength(0), values.GetLength(1));
        double[] numbers = [.. axes.Chunk(2).Select(chunk => (double)BitConverter.ToHalf(chunk))];
        var result = new double[rows, columns];
        for (int row = 0; row < rows; row++)
        {
            for (int k = 0; k < columns; k++) result[row, k] = Enumerable.Range(0, columns).Sum(j => values[row, j] * numbers[j * columns + k]);
        }

        return result;
    }

    // Bit by bit: bit i is bit i mod 8 of byte i / 8, a number's least significant bit first.
    private static int Number(byte[] bytes, long firstBit, int count)
    {
        int number = 0;
        for (int b = 0; b < count; b++) number |= (bytes[(firstBit + b) / 8] >> (int)((firstBit + b) % 8) & 1) << b;
        return number;
    }
}
