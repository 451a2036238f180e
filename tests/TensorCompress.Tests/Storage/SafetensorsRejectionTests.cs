using System.Text;
using TensorCompress.Storage;
using static TensorCompress.Tests.Storage.SafetensorsBytes;
using Kind = TensorCompress.Storage.TensorFormatError;

namespace TensorCompress.Tests.Storage;

/// <summary>Safetensors files that must be refused: one named row per way to be wrong. Rows of several files have letters behind the number.</summary>
public sealed class SafetensorsRejectionTests
{
    private static readonly SortedDictionary<string, (byte[] Content, Kind[] Kinds)> Rows = CreateRows();

    public static TheoryData<string> Ids => [.. Rows.Keys];

    [Theory]
    [MemberData(nameof(Ids))]
    public void IsRefusedWithItsKind(string id)
    {
        (byte[] content, Kind[] kinds) = Rows[id];
        ReaderVerdicts.SafetensorsRejected(content, kinds);
    }

    [Fact]
    public void S18EveryPrefixIsRefused()
    {
        for (int length = 0; length < Base.Length; length++)
        {
            byte[] prefix = Base[..length];
            ReaderVerdicts.Rejected(() => SafetensorsFile.Open(prefix), Kind.Truncated);
        }
    }

    private static SortedDictionary<string, (byte[] Content, Kind[] Kinds)> CreateRows()
    {
        SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows = new(StringComparer.Ordinal);
        AddLengths(rows);
        AddTexts(rows);
        AddStructures(rows);
        AddShapes(rows);
        AddOffsets(rows);
        AddNames(rows);
        return rows;
    }

    // Each text becomes a file S-nn, or S-nna, S-nnb and so on where there are several.
    private static void AddHeaders(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows, string id, Kind[] kinds, int dataLength, params string[] headers)
    {
        for (int i = 0; i < headers.Length; i++) rows.Add(headers.Length == 1 ? id : id + (char)('a' + i), (Of(headers[i], Data(dataLength)), kinds));
    }

    private static void AddLengths(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows)
    {
        byte[] rest = Base[8..];
        rows.Add("S-15", ([], [Kind.Truncated]));
        rows.Add("S-16", (new byte[7], [Kind.Truncated]));
        rows.Add("S-17", (WithLength(60, []), [Kind.Truncated]));
        rows.Add("S-19", (WithLength(ulong.MaxValue, rest), [Kind.Limit]));
        rows.Add("S-20", (WithLength(1UL << 63, rest), [Kind.Limit]));
        rows.Add("S-22", (WithLength((ulong)rest.Length + 1, rest), [Kind.Truncated]));
        rows.Add("S-23", (WithLength(0, Data(16)), [Kind.Encoding]));
        rows.Add("S-50a", (Base[..^1], [Kind.Truncated]));
        rows.Add("S-50b", (Base[..^16], [Kind.Truncated]));
        rows.Add("S-51a", ([.. Base, 0], [Kind.Trailing]));
        // The end record of an empty archive is a whole ZIP file.
        rows.Add("S-51b", ([.. Base, .. "PK\x05\x06"u8, .. new byte[18]], [Kind.Trailing]));
        rows.Add("S-51c", ([.. Base, 0x80, 0x04, 0x2E], [Kind.Trailing]));
    }

    private static void AddTexts(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows)
    {
        string good = $"{{{Entry("a", "F32", "[2,2]", 0, 16)}}}";
        rows.Add("S-24", (WithNameBytes(0xFF), [Kind.Encoding]));
        rows.Add("S-25", (WithNameBytes(0xC0, 0x80), [Kind.Encoding]));
        rows.Add("S-26", (WithNameBytes(0xED, 0xA0, 0x80), [Kind.Encoding]));
        AddHeaders(rows, "S-27", [Kind.Encoding], 16, good.Replace("\"a\"", "\"\\ud800\"", StringComparison.Ordinal));
        AddHeaders(rows, "S-28", [Kind.Encoding], 16, "\uFEFF" + good);
        rows.Add("S-29", (Of(Encoding.Unicode.GetBytes(good), Data(16)), [Kind.Encoding]));
        AddHeaders(rows, "S-30", [Kind.Encoding], 0, "{");
        AddHeaders(rows, "S-31", [Kind.Encoding], 0, "{}\0\0\0\0\0\0");
        AddHeaders(rows, "S-32", [Kind.Encoding], 0, "{}{}", "{} //x", "{\"a\":1,}");
        AddHeaders(rows, "S-34", [Kind.Limit, Kind.Encoding], 0, string.Concat(Enumerable.Repeat("{\"a\":", 10_000)));
        AddHeaders(rows, "S-35", [Kind.Encoding], 16, [.. new[] { "NaN", "Infinity", "0x10", "01" }.Select(token => $"{{{Entry("a", "F32", $"[{token}]", 0, 16)}}}")]);
    }

    private static byte[] WithNameBytes(params byte[] name)
    {
        byte[] header = [.. "{\""u8, .. name, .. Encoding.UTF8.GetBytes(Entry("", "F32", "[2,2]", 0, 16))[1..], (byte)'}'];
        return Of(header, Data(16));
    }

    private static void AddStructures(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows)
    {
        string entry = Entry("a", "F32", "[2,2]", 0, 16);
        AddHeaders(rows, "S-33", [Kind.Structure], 0, "[]", "null", "\"a\"", "7");
        AddHeaders(rows, "S-36", [Kind.Structure], 0, "{\"a\":1}", "{\"a\":[]}", "{\"a\":null}");
        AddHeaders(rows, "S-37", [Kind.Structure], 16,
            "{\"a\":{\"shape\":[2,2],\"data_offsets\":[0,16]}}", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,16]}}", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2]}}");
        AddHeaders(rows, "S-39", [Kind.Type], 16,
            $"{{{Entry("a", "F128", "[2,2]", 0, 16)}}}", $"{{{Entry("a", "f32", "[2,2]", 0, 16)}}}", $"{{{Entry("a", "", "[2,2]", 0, 16)}}}",
            "{\"a\":{\"dtype\":7,\"shape\":[2,2],\"data_offsets\":[0,16]}}");
        AddHeaders(rows, "S-55", [Kind.Duplicate], 16, $"{{{entry},{entry}}}");
        AddHeaders(rows, "S-56", [Kind.Duplicate], 16, $"{{{Entry("a", "U8", "[4]", 0, 4)},{entry}}}");
        AddHeaders(rows, "S-57", [Kind.Duplicate], 16, $"{{{entry},{Entry("\\u0061", "F32", "[2,2]", 0, 16)}}}");
        AddHeaders(rows, "S-58", [Kind.Duplicate], 16,
            "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", "{\"a\":{\"x\":1,\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16],\"\\u0078\":2}}");
        AddHeaders(rows, "S-59", [Kind.Duplicate], 16, $"{{\"__metadata__\":{{}},\"__metadata__\":{{}},{entry}}}", $"{{\"__metadata__\":{{\"k\":\"1\",\"k\":\"1\"}},{entry}}}");
        AddHeaders(rows, "S-60", [Kind.Structure], 16, [.. new[] { "1", "null", "[]", "\"x\"", "{\"k\":1}", "{\"k\":null}", "{\"k\":{}}", "{\"k\":[]}", entry[4..] }
            .Select(value => $"{{\"__metadata__\":{value},{entry}}}")]);
    }

    private static void AddShapes(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows)
    {
        string WithShape(string shape) => $"{{{Entry("a", "F32", shape, 0, 16)}}}";
        AddHeaders(rows, "S-40", [Kind.Shape], 16, [.. new[] { "[-1,4]", "[2.0,2]", "[2e0,2]", "[\"2\",2]", "[18446744073709551616]", "4", "{}", "[[4]]", "[null]", "[-0]" }.Select(WithShape)]);
        AddHeaders(rows, "S-41", [Kind.Overflow], 16, WithShape("[2,18446744073709551614]"), WithShape("[2,9223372036854775807]"), WithShape("[4611686018427387904]"));
        AddHeaders(rows, "S-42", [Kind.Overflow], 0, $"{{{Entry("a", "F32", "[4294967296,4294967296]", 0, 0)}}}");
        AddHeaders(rows, "S-43", [Kind.Overflow], 0, $"{{{Entry("a", "F32", "[0,4294967296,4294967296]", 0, 0)}}}", $"{{{Entry("a", "F32", "[4294967296,4294967296,0]", 0, 0)}}}");
        AddHeaders(rows, "S-44", [Kind.Limit], 4, [.. new[] { 65, 100_000 }.Select(rank => $"{{{Entry("a", "F32", $"[{string.Join(",", Enumerable.Repeat("1", rank))}]", 0, 4)}}}")]);
        AddHeaders(rows, "S-52", [Kind.Size], 4, $"{{{Entry("a", "I32", "[2,2]", 0, 4)}}}");
        AddHeaders(rows, "S-52f", [Kind.Size], 16, $"{{{Entry("a", "F16", "[2,2]", 0, 16)}}}");
        AddHeaders(rows, "S-54", [Kind.Shape], 2, $"{{{Entry("a", "F4", "[3]", 0, 2)}}}");
    }

    private static void AddOffsets(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows)
    {
        string[] wrong = ["[16,0]", "[0]", "[]", "[0,16,16]", "[-1,15]", "[0,\"16\"]", "[0,16.0]", "16", "null"];
        AddHeaders(rows, "S-45", [Kind.Offset, Kind.Structure], 16, [.. wrong.Select(offsets => $"{{\"a\":{{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":{offsets}}}}}")]);
        AddHeaders(rows, "S-46", [Kind.Offset], 20, $"{{{Entry("a", "F32", "[2,2]", 4, 20)}}}");
        AddHeaders(rows, "S-47", [Kind.Offset], 36, $"{{{Entry("a", "F32", "[2,2]", 0, 16)},{Entry("b", "F32", "[2,2]", 20, 36)}}}");
        AddHeaders(rows, "S-48", [Kind.Offset], 24, $"{{{Entry("a", "F32", "[2,2]", 0, 16)},{Entry("b", "F32", "[2,2]", 8, 24)}}}");
        AddHeaders(rows, "S-49", [Kind.Offset], 16, $"{{{string.Join(",", Enumerable.Range(0, 10).Select(i => Entry($"t{i}", "F32", "[2,2]", 0, 16)))}}}");
        AddHeaders(rows, "S-53", [Kind.Overflow, Kind.Size], 16, $"{{{Entry("a", "F32", "[2,2]", 0, ulong.MaxValue)}}}");
    }

    private static void AddNames(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows)
    {
        string WithName(string name) => $"{{{Entry(name, "F32", "[2,2]", 0, 16)}}}";
        AddHeaders(rows, "S-61", [Kind.Name], 16, WithName("a\\u0000b"));
        AddHeaders(rows, "S-62", [Kind.Name], 16, WithName("\\u001b[2J"), WithName("a\\nb"), WithName("a\\u009bb"));
        AddHeaders(rows, "S-64", [Kind.Limit], 16, WithName(new string('n', 65_536)));
    }
}
