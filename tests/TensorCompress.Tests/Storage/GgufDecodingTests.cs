using TensorCompress.Kernels.Simd;
using TensorCompress.Numerics;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Storage;

/// <summary>Decoding of every stored type against the formula, value by value, and any range of a tensor against the whole.</summary>
public sealed class GgufDecodingTests
{
    private const int Rows = 5;
    private const int Columns = 768;

    private static readonly int[] Levels = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    // Each value by its formula, one at a time; all products fit into a float's 24 bits, so only the operations that round are written as floats.
    private static readonly Dictionary<string, StoredType> Types = new()
    {
        ["F32"] = new(0, 1, 4, [], (block, _) => BitConverter.ToSingle(block)),
        ["F16"] = new(1, 1, 2, [0], (block, _) => (float)BitConverter.ToHalf(block)),
        ["BF16"] = new(30, 1, 2, [], (block, _) => BitConverter.Int32BitsToSingle(BitConverter.ToUInt16(block) << 16)),
        ["I8"] = new(24, 1, 1, [], (block, _) => (sbyte)block[0]),
        ["I16"] = new(25, 1, 2, [], (block, _) => BitConverter.ToInt16(block)),
        ["I32"] = new(26, 1, 4, [], (block, _) => BitConverter.ToInt32(block)),
        ["I64"] = new(27, 1, 8, [], (block, _) => BitConverter.ToInt64(block)),
        ["F64"] = new(28, 1, 8, [], (block, _) => (float)BitConverter.ToDouble(block)),
        ["Q4_0"] = new(2, 32, 18, [0], (block, i) => Half(block, 0) * (Nibble(block, 2, i) - 8)),
        ["Q4_1"] = new(3, 32, 20, [0, 2], (block, i) => Half(block, 0) * Nibble(block, 4, i) + Half(block, 2)),
        ["Q5_0"] = new(6, 32, 22, [0], (block, i) => Half(block, 0) * ((Nibble(block, 6, i) | Bit(block, 2, i) << 4) - 16)),
        ["Q5_1"] = new(7, 32, 24, [0, 2], (block, i) => Half(block, 0) * (Nibble(block, 8, i) | Bit(block, 4, i) << 4) + Half(block, 2)),
        ["Q8_0"] = new(8, 32, 34, [0], (block, i) => Half(block, 0) * (sbyte)block[2 + i]),
        ["Q2_K"] = new(10, 256, 84, [80, 82], (block, i) =>
            Half(block, 80) * (block[i / 16] & 15) * Pair(block, 16, i) - Half(block, 82) * (block[i / 16] >> 4)),
        ["Q3_K"] = new(11, 256, 110, [108], (block, i) =>
        {
            int g = i / 16;
            int scale = (block[96 + g % 8] >> (g / 8 * 4) & 15) | (block[104 + g % 4] >> (g / 4 * 2) & 3) << 4;
            return Half(block, 108) * (scale - 32) * ((Pair(block, 32, i) | (block[i % 32] >> (i / 32) & 1) << 2) - 4);
        }),
        ["Q4_K"] = new(12, 256, 144, [0, 2], (block, i) => SixBitScales(block, i / 32, i % 64 < 32 ? block[16 + i / 64 * 32 + i % 32] & 15 : block[16 + i / 64 * 32 + i % 32] >> 4)),
        ["Q5_K"] = new(13, 256, 176, [0, 2], (block, i) => SixBitScales(
            block, i / 32, (i % 64 < 32 ? block[48 + i / 64 * 32 + i % 32] & 15 : block[48 + i / 64 * 32 + i % 32] >> 4) | (block[16 + i % 32] >> (i / 32) & 1) << 4)),
        ["Q6_K"] = new(14, 256, 210, [208], (block, i) =>
        {
            int half = i / 128, k = i % 128 / 32, j = i % 32;
            int low = block[64 * half + 32 * (k % 2) + j] >> (k / 2 * 4) & 15;
            return Half(block, 208) * (sbyte)block[192 + i / 16] * ((low | (block[128 + 32 * half + j] >> (2 * k) & 3) << 4) - 32);
        }),
        ["IQ4_NL"] = new(20, 32, 18, [0], (block, i) => Half(block, 0) * Levels[Nibble(block, 2, i)]),
        ["IQ4_XS"] = new(23, 256, 136, [0], (block, i) =>
        {
            int g = i / 32;
            int scale = (block[4 + g / 2] >> (g % 2 * 4) & 15) | (BitConverter.ToUInt16(block, 2) >> (2 * g) & 3) << 4;
            return Half(block, 0) * (scale - 32) * Levels[Nibble(block, 8 + 16 * g, i % 32)];
        }),
        ["TQ1_0"] = new(34, 256, 54, [52], (block, i) =>
        {
            (int at, int digit) = i < 160 ? (i % 32, i / 32) : i < 240 ? (32 + i % 16, (i - 160) / 16) : (48 + i % 4, (i - 240) / 4);
            int shifted = block[at] * (int)Math.Pow(3, digit) % 256;
            return Half(block, 52) * (shifted * 3 / 256 - 1);
        }),
        ["TQ2_0"] = new(35, 256, 66, [64], (block, i) => Half(block, 64) * (Pair(block, 0, i) - 1)),
    };

    public static TheoryData<string> Names => [.. Types.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void ValuesAreThoseOfTheFormula(string name)
    {
        (GgufFile file, float[] expected, _) = Create(name);
        using (file)
        {
            Assert.Equal(name, file.StoredType("a"));
            Assert.Equal(Types[name].BlockValues > 1, file.IsQuantized("a"));
            Assert.Equal(Bits(expected), Bits(Read(file, 0, Rows * Columns)));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void AnyRangeIsAPartOfTheWhole(string name)
    {
        (GgufFile file, float[] expected, byte[] data) = Create(name);
        using (file)
        {
            for (int first = 0; first <= 70; first++)
            {
                foreach (int count in new[] { 0, 1, 31, 32, 33, 64, 97, 255, 256, 300, 1030 })
                    Assert.Equal(Bits(expected[first..(first + count)]), Bits(Read(file, first, count)));
            }

            byte[] bytes = Types[name].BlockValues == 1 ? data : [.. expected.SelectMany(BitConverter.GetBytes)];
            foreach ((int offset, int count) in new[] { (0, 1), (1, 2), (3, 10), (127, 131), (5, 0), (bytes.Length - 3, 3), (bytes.Length, 0) })
            {
                var read = new byte[count];
                file.ReadBytes("a", offset, read);
                Assert.Equal(bytes[offset..(offset + count)], read);
            }
        }
    }

    [Fact]
    public void EveryTypeOfTheListIsTested() => Assert.Equal(GgufTensorTypes.All.Select(type => type.Name).Order(), Types.Keys.Order());

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryWidthGivesTheSameBits(string name)
    {
        (GgufFile file, float[] expected, byte[] data) = Create(name);
        file.Dispose();
        GgufTensorType type = GgufTensorTypes.All.Single(candidate => candidate.Name == name);
        foreach (SimdWidth width in Enum.GetValues<SimdWidth>())
        {
            var values = new float[expected.Length];
            type.Decode(width, data, values);
            FloatBits.AssertEqual(expected, values, $"{name} at {width}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void G42ScalesThatAreNotFiniteReadAsWhatTheyGive(string name)
    {
        StoredType type = Types[name];
        foreach (int at in type.Halves)
        {
            foreach (ushort scale in new ushort[] { 0x7C00, 0xFC00, 0x7E00 })
            {
                var block = new byte[type.BlockBytes];
                block.AsSpan().Fill(0x11);
                foreach (int half in type.Halves) BitConverter.GetBytes((ushort)0x3C00).CopyTo(block, half);
                BitConverter.GetBytes(scale).CopyTo(block, at);
                using GgufFile file = GgufFile.Open(new GgufBytes { Data = block }.Tensor("a", [(ulong)type.BlockValues], type.Id, 0).Build());
                Assert.Contains(Read(file, 0, type.BlockValues), value => !float.IsFinite(value));
            }
        }
    }

    private static (GgufFile File, float[] Expected, byte[] Data) Create(string name)
    {
        StoredType type = Types[name];
        var random = new SeededRandom(11);
        var data = new byte[Rows * Columns / type.BlockValues * type.BlockBytes];
        for (int i = 0; i < data.Length; i++) data[i] = (byte)random.NextUInt64();
        // A NaN's bits may differ from the formula's, so the exponents of scales and floats stay below all ones.
        int[] topBytes = name is "F32" or "F64" or "BF16" ? [type.BlockBytes - 1] : [.. type.Halves.Select(half => half + 1)];
        for (int block = 0; block < data.Length; block += type.BlockBytes)
        {
            foreach (int top in topBytes) data[block + top] &= 0xBF;
        }

        var expected = new float[Rows * Columns];
        for (int i = 0; i < expected.Length; i++)
        {
            int block = i / type.BlockValues;
            expected[i] = type.Decode(data.AsSpan(block * type.BlockBytes, type.BlockBytes).ToArray(), i % type.BlockValues);
        }

        return (GgufFile.Open(new GgufBytes { Data = data }.Tensor("a", [Columns, Rows], type.Id, 0).Build()), expected, data);
    }

    private static float Half(byte[] block, int at) => (float)BitConverter.ToHalf(block, at);

    private static int Nibble(byte[] block, int start, int i) => i < 16 ? block[start + i] & 15 : block[start + i - 16] >> 4;

    private static int Bit(byte[] block, int start, int i) => block[start + i / 8] >> (i % 8) & 1;

    private static int Pair(byte[] block, int start, int i) => block[start + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;

    private static float SixBitScales(byte[] block, int g, int code)
    {
        int scale = g < 4 ? block[4 + g] & 63 : (block[8 + g] & 15) | block[g] >> 6 << 4;
        int minimum = g < 4 ? block[8 + g] & 63 : block[8 + g] >> 4 | block[4 + g] >> 6 << 4;
        return Half(block, 0) * scale * code - Half(block, 2) * minimum;
    }

    private static float[] Read(GgufFile file, int first, int count)
    {
        var values = new float[count];
        file.ReadSingles("a", first, values);
        return values;
    }

    private static int[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToInt32Bits);

    /// <param name="Halves">Where the F16 numbers of a block lie.</param>
    private sealed record StoredType(uint Id, int BlockValues, int BlockBytes, int[] Halves, Func<byte[], int, float> Decode);
}
