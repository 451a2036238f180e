using TensorCompress.Storage.Gguf;
using static TensorCompress.Tests.Storage.GgufBytes;
using Kind = TensorCompress.Storage.TensorFormatError;

namespace TensorCompress.Tests.Storage;

/// <summary>GGUF files that must be refused: one named row per way to be wrong. Rows of several files have letters behind the number.</summary>
public sealed class GgufRejectionTests
{
    private static readonly SortedDictionary<string, (byte[] Content, Kind[] Kinds)> Rows = CreateRows();

    public static TheoryData<string> Ids => [.. Rows.Keys];

    [Theory]
    [MemberData(nameof(Ids))]
    public void IsRefusedWithItsKind(string id)
    {
        (byte[] content, Kind[] kinds) = Rows[id];
        long before = GC.GetAllocatedBytesForCurrentThread();
        ReaderVerdicts.Rejected(() => GgufFile.Open(content), kinds);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (1 << 20) + 16L * content.Length);
        // A stream of single bytes takes its time over 64 MiB.
        if (content.Length < 1 << 20) ReaderVerdicts.GgufRejected(content, kinds);
    }

    [Fact]
    public void G08EveryPrefixIsRefused()
    {
        byte[] file = Base().Build();
        for (int length = 0; length < file.Length; length++)
        {
            byte[] prefix = file[..length];
            ReaderVerdicts.Rejected(() => GgufFile.Open(prefix), Kind.Truncated);
        }
    }

    private static SortedDictionary<string, (byte[] Content, Kind[] Kinds)> CreateRows()
    {
        SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows = new(StringComparer.Ordinal);
        AddCounts(rows);
        AddKeys(rows);
        AddValues(rows);
        AddTensors(rows);
        AddOffsets(rows);
        return rows;
    }

    private static void Add(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows, string id, Kind[] kinds, params GgufBytes[] files)
    {
        for (int i = 0; i < files.Length; i++) rows.Add(files.Length == 1 ? id : id + (char)('a' + i), (files[i].Build(), kinds));
    }

    private static void AddCounts(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows)
    {
        Add(rows, "G-09", [Kind.Magic], new() { Magic = 0x47475546 }, new() { Magic = 0x47554746 });
        Add(rows, "G-10", [Kind.Version], new() { Version = 0 }, new() { Version = 1 }, new() { Version = 4 });
        Add(rows, "G-11", [Kind.Version], new GgufBytes { Version = 0x03000000 });
        ulong[] counts = [ulong.MaxValue, 1UL << 63, 1UL << 32, 1_000_000, 2];
        Add(rows, "G-12", [Kind.Limit, Kind.Truncated], [.. counts.Select(count => new GgufBytes { TensorCount = count, Data = new byte[36] })]);
        Add(rows, "G-13", [Kind.Limit, Kind.Truncated], [.. counts.Select(count => new GgufBytes { KeyCount = count, Data = new byte[count == 2 ? 25 : 36] })]);
    }

    private static void AddKeys(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows)
    {
        byte[] value = [.. U32(0), 1];
        GgufBytes WithKey(byte[] key) => new GgufBytes { Data = new byte[16] }.RawKey([.. key, .. value]);
        Add(rows, "G-14", [Kind.Truncated, Kind.Limit],
            WithKey([.. U64(ulong.MaxValue), (byte)'k']), WithKey([.. U64(1UL << 63), (byte)'k']), WithKey([.. U64(1 + 5 + 16 + 1), (byte)'k']), WithKey(Text(new string('k', 65_536))));
        Add(rows, "G-15", [Kind.Name, Kind.Encoding], WithKey(Text("")), WithKey(Text("a\0b")), WithKey(RawText([0xFF])), WithKey(Text("a\nb")));
        Add(rows, "G-16", [Kind.Duplicate],
            new GgufBytes().Key("k", 0, [1]).Key("k", 0, [1]), new GgufBytes().Key("k", 0, [1]).Key("k", 4, U32(1)));
    }

    private static void AddValues(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows)
    {
        GgufBytes WithValue(uint type, byte[] value, int behind = 16) => new GgufBytes { Data = new byte[behind] }.Key("k", type, value);
        Add(rows, "G-17", [Kind.Type], WithValue(13, []), WithValue(uint.MaxValue, []));
        Add(rows, "G-18", [Kind.Truncated, Kind.Limit], WithValue(8, U64(ulong.MaxValue)), WithValue(8, U64(17)), WithValue(8, U64((64 << 20) + 1)));
        rows.Add("G-18d", (new GgufBytes().Key("k", 8, RawText(new byte[(64 << 20) + 1])).Build(), [Kind.Limit]));
        Add(rows, "G-47", [Kind.Limit], new GgufBytes().Key("k", 9, List(8, 2, Text("a"), RawText(new byte[1 << 20]))));
        Add(rows, "G-47b", [Kind.Truncated, Kind.Limit], WithValue(9, List(8, 1, U64(1UL << 31))));
        Add(rows, "G-20", [Kind.Type], WithValue(9, List(9, 1, List(0, 1, [1]))), WithValue(9, [.. Enumerable.Repeat(List(9, 1), 100_000).SelectMany(level => level)]));
        Add(rows, "G-21", [Kind.Type], WithValue(9, List(13, 1, [0])), WithValue(9, List(13, 0)));
        Add(rows, "G-22", [Kind.Truncated, Kind.Limit], WithValue(9, List(10, 1UL << 61)), WithValue(9, List(10, 1UL << 60)), WithValue(9, List(10, 3)), WithValue(9, List(0, 17)), WithValue(9, List(2, 9)));
        byte[] threeTexts = [.. Text("a"), .. Text("b"), .. Text("c")];
        Add(rows, "G-23", [Kind.Truncated, Kind.Limit], WithValue(9, List(8, 1UL << 40, threeTexts)), WithValue(9, List(8, 4, threeTexts), 0));
        Add(rows, "G-24", [Kind.Value], WithValue(7, [2]), WithValue(9, List(7, 3, [0, 1, 2])));
        GgufBytes WithAlignment(uint type, byte[] value) => new GgufBytes { Data = SafetensorsBytes.Data(128) }.Key("general.alignment", type, value).Tensor("a", [32], 0, 0);
        Add(rows, "G-25", [Kind.Value], [.. new uint[] { 0, 3, 13, 1U << 31, uint.MaxValue }.Select(alignment => WithAlignment(4, U32(alignment)))]);
        Add(rows, "G-26", [Kind.Type], WithAlignment(5, U32(32)), WithAlignment(8, Text("32")), WithAlignment(9, List(4, 1, U32(32))), WithAlignment(10, U64(32)), WithAlignment(6, BitConverter.GetBytes(32f)));
    }

    private static void AddTensors(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows)
    {
        byte[] data = SafetensorsBytes.Data(128);
        GgufBytes With(string name, ulong[] dimensions, uint type) => new GgufBytes { Data = data }.Tensor(name, dimensions, type, 0);
        Add(rows, "G-27", [Kind.Name, Kind.Truncated],
            With(new string('n', 64), [32], 0), With("", [32], 0), With("a\u001b", [32], 0), new GgufBytes { Data = data }.RawTensor([.. U64(1UL << 40), .. new byte[40]]));
        Add(rows, "G-28", [Kind.Duplicate], new GgufBytes { Data = data }.Tensor("a", [8], 0, 0).Tensor("a", [8], 0, 32));
        Add(rows, "G-29", [Kind.Shape], With("a", [1, 1, 1, 1, 32], 0), new GgufBytes { Data = data }.RawTensor([.. Text("a"), .. U32(uint.MaxValue), .. new byte[40]]));
        Add(rows, "G-30", [Kind.Shape], With("a", [ulong.MaxValue], 0), With("a", [1UL << 63], 0), With("a", [0, 1UL << 63], 0));
        Add(rows, "G-31", [Kind.Overflow], With("a", [8_589_934_588, 8_589_934_588], 0));
        Add(rows, "G-32", [Kind.Overflow], With("a", [1UL << 31, 1UL << 31], 0));
        Add(rows, "G-33", [Kind.Shape], With("a", [33], 3), With("a", [33], 8), With("a", [16, 2], 3), With("a", [], 8));
        Add(rows, "G-34", [Kind.Type], With("a", [32], 4), With("a", [32], 5), With("a", [32], 200), With("a", [32], uint.MaxValue));
        Add(rows, "G-37", [Kind.Overflow], new GgufBytes().Tensor("a", [1UL << 32, 1UL << 32], 0, 0), new GgufBytes().Tensor("a", [0, 1UL << 32, 1UL << 32], 0, 0));
        Add(rows, "G-38", [Kind.Overflow], new GgufBytes().Tensor("a", [0x7FFFFFFFFFFFFFC0], 1, 0).Tensor("b", [0x7FFFFFFFFFFFFFC0], 1, 0xFFFFFFFFFFFFFF80));
        // The shape of a known attack: sixteen times the size that the file has, so that a quantiser would read the heap.
        Add(rows, "G-41", [Kind.Truncated], With("a", [512], 0));
    }

    private static void AddOffsets(SortedDictionary<string, (byte[] Content, Kind[] Kinds)> rows)
    {
        GgufBytes One(ulong offset) => new GgufBytes { Data = SafetensorsBytes.Data(256) }.Tensor("a", [32], 0, offset);
        GgufBytes Two(ulong first, ulong second) => new GgufBytes { Data = SafetensorsBytes.Data(512) }.Tensor("a", [32], 0, first).Tensor("b", [32], 0, second);
        Add(rows, "G-35", [Kind.Offset], One(ulong.MaxValue), One(16), One(64), One(1UL << 62));
        Add(rows, "G-36", [Kind.Offset], Two(0, 0), Two(128, 0), Two(0, 160), Two(0, 96));
        byte[] whole = Base().Build();
        rows.Add("G-39a", (whole[..^1], [Kind.Truncated]));
        rows.Add("G-39b", (whole[..^128], [Kind.Truncated]));
        rows.Add("G-39c", (whole[..^136], [Kind.Truncated]));
    }
}
