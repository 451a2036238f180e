using System.Globalization;
using System.Text;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using static TensorCompress.Tests.Storage.SafetensorsBytes;

namespace TensorCompress.Tests.Storage;

/// <summary>Safetensors files that are odd but right: each gives the generator's bytes back and survives a rewriting.</summary>
public sealed class SafetensorsAcceptanceTests
{
    private static readonly string[] WholeByteTypes =
    [
        "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "C64", "I64", "U64", "F64",
    ];

    private static readonly SortedDictionary<string, AcceptedRow> Rows = CreateRows();

    public static TheoryData<string> Ids => [.. Rows.Keys];

    [Theory]
    [MemberData(nameof(Ids))]
    public void GivesTheGeneratorsBytes(string id)
    {
        AcceptedRow row = Rows[id];
        ReaderVerdicts.SafetensorsAccepted(row.Content, file => row.Check(file));
        using var folder = new TemporaryFolder();
        using SafetensorsFile original = SafetensorsFile.Open(row.Content);
        string copy = folder.Combine("copy.safetensors");
        using (SafetensorsWriter writer = SafetensorsWriter.Create(copy, original.Metadata))
        {
            foreach (TensorInfo tensor in original.Tensors.Values) writer.Add(tensor, stream => original.CopyTo(tensor, stream));
            writer.Complete();
        }

        using SafetensorsFile again = SafetensorsFile.Open(copy);
        row.Check(again);
        Assert.Equal(original.Metadata, again.Metadata);
        // Names such as ../../x are only names: the folder holds the one file that was asked for.
        Assert.Equal([copy], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void S09UnalignedValuesAreExact()
    {
        float[] values = [1.5f, -2.25f];
        byte[] data = [1, 2, 3, .. values.SelectMany(BitConverter.GetBytes)];
        using SafetensorsFile file = SafetensorsFile.Open(Of($"{{{Entry("a", "U8", "[3]", 0, 3)},{Entry("b", "F32", "[2]", 3, 11)}}}", data));
        var read = new float[2];
        file.ReadSingles("b", 0, read);
        Assert.Equal(values, read);
        var bytes = new float[3];
        file.ReadSingles("a", 0, bytes);
        Assert.Equal([1f, 2f, 3f], bytes);
    }

    [Fact]
    public void S38UnknownFieldIsAWarning()
    {
        using SafetensorsFile file = SafetensorsFile.Open(Rows["S-38"].Content);
        Assert.Contains("\"x\"", Assert.Single(file.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void VerdictsDoNotDependOnTheCulture()
    {
        // The build has no culture data; what could matter to a parser is made odd by hand.
        var odd = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        odd.NumberFormat.NumberDecimalSeparator = ",";
        odd.NumberFormat.NumberGroupSeparator = ".";
        odd.NumberFormat.NegativeSign = "~";
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = odd;
            foreach (AcceptedRow row in Rows.Values)
            {
                using SafetensorsFile file = SafetensorsFile.Open(row.Content);
                row.Check(file);
            }

            ReaderVerdicts.SafetensorsRejected(Of($"{{{Entry("a", "F32", "[-1,4]", 0, 16)}}}", Data(16)), TensorFormatError.Shape);
            ReaderVerdicts.SafetensorsRejected(Of($"{{{Entry("a", "F32", "[2.0,2]", 0, 16)}}}", Data(16)), TensorFormatError.Shape);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    private static SortedDictionary<string, AcceptedRow> CreateRows()
    {
        string entry = Entry("a", "F32", "[2,2]", 0, 16);
        ExpectedTensor a = new("a", ElementType.F32, [2, 2], 0, 16);
        SortedDictionary<string, AcceptedRow> rows = new(StringComparer.Ordinal)
        {
            ["S-01"] = new(Base, a),
            ["S-02"] = new(Of("{}", [])),
            ["S-03"] = new(Of("{}\r\t \n", [])),
            ["S-04"] = new(Of("\t\n{}\r ", [])),
            ["S-05"] = new(Of($"{{{Entry("s", "I32", "[]", 0, 4)}}}", Data(4)), new ExpectedTensor("s", ElementType.I32, [], 0, 4)),
            ["S-06"] = new(Of($"{{{Entry("e", "F32", "[2,0]", 0, 0)}}}", []), new ExpectedTensor("e", ElementType.F32, [2, 0], 0, 0)),
            ["S-07"] = new(Of($"{{{Entry("b", "U8", "[4]", 16, 20)},{entry}}}", Data(20)), new("b", ElementType.U8, [4], 16, 20), a),
            ["S-08"] = new(Of($"{{\"__metadata__\":{{\"format\":\"pt\",\"k\":\"ü\"}},{entry}}}", Data(16)), a) { Metadata = new() { ["format"] = "pt", ["k"] = "ü" } },
            ["S-09"] = new(Of($"{{{Entry("a", "U8", "[3]", 0, 3)},{Entry("b", "F32", "[2]", 3, 11)}}}", Data(11)), new("a", ElementType.U8, [3], 0, 3), new("b", ElementType.F32, [2], 3, 11)),
            ["S-10"] = new(Of($"{{{Entry("e", "F32", "[0]", 0, 0)},{Entry("f", "F32", "[3,0]", 0, 0)},{entry}}}", Data(16)),
                new("e", ElementType.F32, [0], 0, 0), new("f", ElementType.F32, [3, 0], 0, 0), a),
            ["S-12"] = new(Of($"{{{Entry("\\u0061", "F32", "[2,2]", 0, 16)}}}", Data(16)), a),
            ["S-38"] = new(Of("{\"a\":{\"x\":{\"dtype\":[1]},\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", Data(16)), a),
            ["S-60"] = new(Of($"{{\"__metadata__\":{{}},{entry}}}", Data(16)), a),
            ["S-66"] = new(Of($"{{{entry}}}".PadRight(11_923), Data(16)), a),
        };
        rows.Add("S-11", CreateEveryType());
        foreach ((string id, string name) in new[] { ("S-63a", "../../x"), ("S-63b", "C:\\x"), ("S-63c", "") })
            rows.Add(id, new(Of($"{{{Entry(name.Replace("\\", "\\\\", StringComparison.Ordinal), "F32", "[2,2]", 0, 16)}}}", Data(16)), a with { Name = name }));
        return rows;
    }

    private static AcceptedRow CreateEveryType()
    {
        List<ExpectedTensor> tensors = [];
        int position = 0;
        foreach (string name in WholeByteTypes)
        {
            Assert.True(ElementTypes.TryParse(name, out ElementType type));
            tensors.Add(new(name, type, [3], position, position += 3 * type.BitWidth() / 8));
        }

        foreach (ElementType type in new[] { ElementType.F4, ElementType.F6E2M3, ElementType.F6E3M2 })
            tensors.Add(new(type.Name(), type, [4], position, position += 4 * type.BitWidth() / 8));
        Assert.Equal(Enum.GetValues<ElementType>().Length, tensors.Count);
        IEnumerable<string> entries = tensors.Select(tensor => Entry(tensor.Name, tensor.Type.Name(), $"[{tensor.Shape[0]}]", (ulong)tensor.Begin, (ulong)tensor.End));
        return new(Of($"{{{string.Join(",", entries)}}}", Data(position)), [.. tensors]);
    }

    private sealed record ExpectedTensor(string Name, ElementType Type, long[] Shape, int Begin, int End);

    private sealed record AcceptedRow(byte[] Content, params ExpectedTensor[] Tensors)
    {
        public Dictionary<string, string> Metadata { get; init; } = [];

        public void Check(SafetensorsFile file)
        {
            Assert.Equal(Tensors.Select(tensor => tensor.Name), file.Tensors.Keys);
            foreach (ExpectedTensor expected in Tensors)
            {
                TensorInfo info = file.Tensors[expected.Name];
                Assert.Equal(expected.Type, info.ElementType);
                Assert.Equal(expected.Shape, info.Shape);
                var bytes = new byte[expected.End - expected.Begin];
                Assert.Equal(bytes.Length, info.ByteLength);
                file.ReadBytes(expected.Name, 0, bytes);
                Assert.Equal(Data(expected.End)[expected.Begin..], bytes);
            }

            Assert.Equal(Metadata, file.Metadata);
        }

        public override string ToString() => Encoding.UTF8.GetString(Content);
    }
}
