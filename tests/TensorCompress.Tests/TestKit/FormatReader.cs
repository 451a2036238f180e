using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace TensorCompress.Tests.TestKit;

/// <summary>A second reader of compressed checkpoints, written from docs/format.md alone, in plain loops and doubles: what it cannot read, the page does not say.</summary>
internal sealed class FormatReader
{
    private readonly byte[] _file;
    private readonly int _data;
    private readonly JsonElement _header;
    private readonly JsonElement _manifest;

    public FormatReader(string folder)
    {
        _file = File.ReadAllBytes(Path.Combine(folder, "model.safetensors"));
        int headerLength = (int)BinaryPrimitives.ReadInt64LittleEndian(_file);
        _data = 8 + headerLength;
        _header = JsonDocument.Parse(_file.AsMemory(8, headerLength)).RootElement;
        _manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json"))).RootElement.GetProperty("quantization_config");
    }

    public IEnumerable<string> Layers => _manifest.GetProperty("layers").EnumerateObject().Select(layer => layer.Name);

    public IEnumerable<string> Tensors => _header.EnumerateObject().Select(entry => entry.Name).Where(name => name != "__metadata__");

    public string RecordedHash(string tensor) => _manifest.GetProperty("hashes").GetProperty(tensor).GetString()!;

    public string Hash(string tensor)
    {
        JsonElement entry = _header.GetProperty(tensor);
        using var text = new MemoryStream();
        text.Write(Encoding.UTF8.GetBytes(tensor + "\0" + entry.GetProperty("dtype").GetString() + "\0"));
        long[] shape = [.. entry.GetProperty("shape").EnumerateArray().Select(dimension => dimension.GetInt64())];
        foreach (long number in shape.Prepend(shape.Length)) text.Write(BitConverter.GetBytes(number));
        text.Write(Bytes(tensor));
        return Convert.ToHexStringLower(SHA256.HashData(text.ToArray()));
    }

    /// <summary>W of a compressed layer.</summary>
    public double[,] Decode(string layer)
    {
        JsonElement entry = _manifest.GetProperty("layers").GetProperty(layer), parameters = entry.GetProperty("parameters");
        int rows = entry.GetProperty("shape")[0].GetInt32(), columns = entry.GetProperty("shape")[1].GetInt32();
        Func<int, int, double> element = Element(layer, entry.GetProperty("method").GetString()!, parameters, rows, columns);
        var result = new double[rows, columns];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++) result[row, column] = element(row, column);
        }

        return result;
    }

    private Func<int, int, double> Element(string layer, string method, JsonElement parameters, int rows, int columns)
    {
        switch (method)
        {
            case "dense": return Dense(Floats($"{layer}.dense.values"), columns);
            case "scalar": return Scalar(layer, parameters, columns);
            case "lowrank": return LowRank(layer, parameters, columns);
            case "btt": return BlockTensorTrain(layer, parameters, rows, columns);
            case "tucker": return Tucker(layer, parameters, columns);
            case "mpo": return Mpo(layer, parameters);
            case "dbf": return Dbf(layer, parameters, rows, columns);
            case "sum": return Sum(layer, parameters, rows, columns);
            case "qet":
                double[,] values = FormatCodebooks.Decode(parameters, part => Bytes($"{layer}.qet.{part}"), rows, columns);
                return (row, column) => values[row, column];
            default: throw new NotSupportedException(method);
        }
    }

    private static Func<int, int, double> Dense(double[] values, int columns) => (row, column) => values[row * columns + column];

    private Func<int, int, double> Scalar(string layer, JsonElement parameters, int columns)
    {
        int bits = parameters.GetProperty("bits").GetInt32(), group = parameters.GetProperty("group").GetInt32(), groups = (columns + group - 1) / group;
        bool symmetric = parameters.GetProperty("symmetric").GetBoolean();
        byte[] codes = Bytes($"{layer}.scalar.codes"), zeros = symmetric ? [] : Bytes($"{layer}.scalar.zeros");
        double[] scales = Floats($"{layer}.scalar.scales");
        return (row, column) =>
        {
            int g = column / group;
            int code = Code(codes, row * ((columns * bits + 7) / 8), column, bits);
            int zero = symmetric ? 1 << (bits - 1) : Code(zeros, row * ((groups * bits + 7) / 8), g, bits);
            return scales[row * groups + g] * (code - zero);
        };
    }

    // Bit by bit: code i is the bits i b .. i b + b - 1 of the row, least significant first.
    private static int Code(byte[] bytes, int rowStart, int index, int bits)
    {
        int code = 0;
        for (int b = 0; b < bits; b++)
        {
            int bit = index * bits + b;
            code |= ((bytes[rowStart + bit / 8] >> (bit % 8)) & 1) << b;
        }

        return code;
    }

    private Func<int, int, double> LowRank(string layer, JsonElement parameters, int columns)
    {
        int rank = parameters.GetProperty("rank").GetInt32();
        double[] u = Floats($"{layer}.lowrank.outer"), v = Floats($"{layer}.lowrank.inner");
        return (row, column) => Enumerable.Range(0, rank).Sum(r => u[row * rank + r] * v[r * columns + column]);
    }

    private Func<int, int, double> BlockTensorTrain(string layer, JsonElement parameters, int rows, int columns)
    {
        int m1 = parameters.GetProperty("block_rows").GetInt32(), n2 = parameters.GetProperty("block_columns").GetInt32(), m2 = rows / m1, n1 = columns / n2;
        double[] left = Floats($"{layer}.btt.left"), right = Floats($"{layer}.btt.right");
        if (parameters.TryGetProperty("rank", out JsonElement number))
        {
            int rank = number.GetInt32();
            return (o, i) => Enumerable.Range(0, rank).Sum(r => left[((o % m2 * m1 + o / m2) * n1 + i / n2) * rank + r] * right[((i / n2 * m2 + o % m2) * rank + r) * n2 + i % n2]);
        }

        int[] ranks = [.. Bytes($"{layer}.btt.ranks").Select(rank => (int)rank)]; // [m2, n1]
        int Rank(int j2, int i1) => ranks[j2 * n1 + i1];
        return (o, i) =>
        {
            int j1 = o / m2, j2 = o % m2, i1 = i / n2, i2 = i % n2;
            int ofRow = Enumerable.Range(0, n1).Sum(k => Rank(j2, k));
            int leftStart = Enumerable.Range(0, j2).Sum(j => Enumerable.Range(0, n1).Sum(k => Rank(j, k))) * m1 + j1 * ofRow + Enumerable.Range(0, i1).Sum(k => Rank(j2, k));
            int rightStart = Enumerable.Range(0, i1).Sum(k => Enumerable.Range(0, m2).Sum(j => Rank(j, k))) + Enumerable.Range(0, j2).Sum(j => Rank(j, i1));
            return Enumerable.Range(0, Rank(j2, i1)).Sum(r => left[leftStart + r] * right[(rightStart + r) * n2 + i2]);
        };
    }

    private Func<int, int, double> Tucker(string layer, JsonElement parameters, int columns)
    {
        int heads = parameters.GetProperty("heads").GetInt32(), headRank = parameters.GetProperty("head_rank").GetInt32(), rank = parameters.GetProperty("rank").GetInt32(), n = columns / heads;
        double[] outer = Floats($"{layer}.tucker.outer"), inner = Floats($"{layer}.tucker.inner"), mixer = Floats($"{layer}.tucker.mixer");
        return (o, i) => Enumerable.Range(0, rank).Sum(k => Enumerable.Range(0, headRank).Sum(a => outer[o * rank + k] * inner[(k * headRank + a) * n + i % n] * mixer[a * heads + i / n]));
    }

    private Func<int, int, double> Sum(string layer, JsonElement parameters, int rows, int columns)
    {
        Func<int, int, double>[] terms = [.. parameters.GetProperty("terms").EnumerateArray().Select((term, k) => Element($"{layer}.sum.term{k}", term.GetProperty("method").GetString()!, term.GetProperty("parameters"), rows, columns))];
        int count = parameters.GetProperty("columns").GetInt32();
        double[] values = count == 0 ? [] : Floats($"{layer}.sum.column_values");
        int[] indices = count == 0 ? [] : [.. Bytes($"{layer}.sum.column_indices").Chunk(4).Select(chunk => BitConverter.ToInt32(chunk))];
        return (row, column) => terms.Sum(term => term(row, column)) + (Array.IndexOf(indices, column) is >= 0 and int c ? values[row * count + c] : 0);
    }

    private Func<int, int, double> Mpo(string layer, JsonElement parameters)
    {
        int[] List(string name) => [.. parameters.GetProperty(name).EnumerateArray().Select(number => number.GetInt32())];
        int[] outputs = List("output_factors"), inputs = List("input_factors"), bonds = List("bonds");
        double[][] cores = [.. outputs.Select((_, k) => Core($"{layer}.mpo.core{k}", parameters.GetProperty("type").GetString()!, bonds[k] * outputs[k] * inputs[k] * bonds[k + 1]))];
        return (row, column) =>
        {
            int[] o = Digits(row, outputs), i = Digits(column, inputs);
            double[] vector = [1];
            for (int k = 0; k < cores.Length; k++)
            {
                var next = new double[bonds[k + 1]];
                for (int left = 0; left < bonds[k]; left++)
                {
                    for (int right = 0; right < bonds[k + 1]; right++)
                        next[right] += vector[left] * cores[k][((left * outputs[k] + o[k]) * inputs[k] + i[k]) * bonds[k + 1] + right];
                }

                vector = next;
            }

            return vector[0];
        };
    }

    private double[] Core(string tensor, string type, int count)
    {
        if (type is not ("INT8" or "INT4")) return Floats(tensor);
        byte[] bytes = Bytes(tensor);
        double[] scales = Floats(tensor + "_scales");
        return [.. Enumerable.Range(0, count).Select(i => scales[i / 64] * (type == "INT8" ? (sbyte)bytes[i] : (bytes[i / 2] >> (4 * (i % 2)) & 15) - 8))];
    }

    private Func<int, int, double> Dbf(string layer, JsonElement parameters, int rows, int columns)
    {
        byte[] outer = Bytes($"{layer}.dbf.outer_signs"), inner = Bytes($"{layer}.dbf.inner_signs");
        double[] a = Floats($"{layer}.dbf.output_scale"), d = Floats($"{layer}.dbf.middle_scale"), b = Floats($"{layer}.dbf.input_scale");
        return (row, column) =>
        {
            double sum = 0;
            for (int c = 0; c < parameters.GetProperty("middle").GetInt32(); c++) sum += Sign(outer, c, rows, row) * d[c] * Sign(inner, c, columns, column);
            return a[row] * b[column] * sum;
        };

        // Most significant bit first, each channel in bytes of its own.
        static int Sign(byte[] bytes, int channel, int count, int index) => (bytes[channel * ((count + 7) / 8) + index / 8] >> (7 - index % 8) & 1) != 0 ? 1 : -1;
    }

    private static int[] Digits(int index, int[] radices)
    {
        var digits = new int[radices.Length];
        for (int k = radices.Length - 1; k >= 0; k--)
        {
            digits[k] = index % radices[k];
            index /= radices[k];
        }

        return digits;
    }

    private byte[] Bytes(string tensor)
    {
        JsonElement offsets = _header.GetProperty(tensor).GetProperty("data_offsets");
        return _file[(_data + offsets[0].GetInt32())..(_data + offsets[1].GetInt32())];
    }

    private double[] Floats(string tensor)
    {
        byte[] bytes = Bytes(tensor);
        return _header.GetProperty(tensor).GetProperty("dtype").GetString() switch
        {
            "F32" => [.. bytes.Chunk(4).Select(chunk => (double)BitConverter.ToSingle(chunk))],
            "F16" => [.. bytes.Chunk(2).Select(chunk => (double)BitConverter.ToHalf(chunk))],
            "BF16" => [.. bytes.Chunk(2).Select(chunk => (double)BitConverter.Int32BitsToSingle(BitConverter.ToInt16(chunk) << 16))],
            string other => throw new NotSupportedException(other),
            null => throw new NotSupportedException(),
        };
    }
}
