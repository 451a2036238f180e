using TensorCompress.Numerics;
using TensorCompress.Storage.Gguf;

namespace TensorCompress.Tests.Storage;

/// <summary>Decoding of every stored type against the formula, value by value, and any range of a tensor against the whole.</summary>
public sealed class GgufDecodingTests
{
    private const int Rows = 5;
    private const int Columns = 96;

    private static readonly Dictionary<string, StoredType> Types = new()
    {
        ["F32"] = new(0, 1, 4, (block, _) => BitConverter.ToSingle(block)),
        ["F16"] = new(1, 1, 2, (block, _) => (float)BitConverter.ToHalf(block)),
        ["BF16"] = new(30, 1, 2, (block, _) => BitConverter.Int32BitsToSingle(BitConverter.ToUInt16(block) << 16)),
        // Both operations round: the product of the code and the scale is a float before the minimum is added.
        ["Q4_1"] = new(3, 32, 20, (block, i) =>
        {
            int code = i < 16 ? block[4 + i] & 15 : block[4 + i - 16] >> 4;
            double product = (double)code * (double)BitConverter.ToHalf(block);
            return (float)((float)product + (double)BitConverter.ToHalf(block.AsSpan(2)));
        }),
        ["Q8_0"] = new(8, 32, 34, (block, i) => (float)((sbyte)block[2 + i] * (double)BitConverter.ToHalf(block))),
    };

    public static TheoryData<string> Names => [.. Types.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void ValuesAreThoseOfTheFormula(string name)
    {
        (GgufFile file, float[] expected) = Create(name);
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
        (GgufFile file, float[] expected) = Create(name);
        using (file)
        {
            for (int first = 0; first <= 70; first++)
            {
                foreach (int count in new[] { 0, 1, 31, 32, 33, 64, 95, 97, 300 })
                    Assert.Equal(Bits(expected[first..(first + count)]), Bits(Read(file, first, count)));
            }

            byte[] bytes = [.. expected.SelectMany(BitConverter.GetBytes)];
            foreach ((int offset, int count) in new[] { (0, 1), (1, 2), (3, 10), (127, 130), (5, 0), (bytes.Length - 3, 3), (bytes.Length, 0) })
            {
                var read = new byte[count];
                file.ReadBytes("a", offset, read);
                Assert.Equal(bytes[offset..(offset + count)], read);
            }
        }
    }

    [Theory]
    [InlineData("Q4_1")]
    [InlineData("Q8_0")]
    public void G42ScalesThatAreNotFiniteReadAsWhatTheyGive(string name)
    {
        foreach (ushort scale in new ushort[] { 0x7C00, 0xFC00, 0x7E00 })
        {
            var block = new byte[Types[name].BlockBytes];
            block.AsSpan().Fill(0x11);
            BitConverter.GetBytes(scale).CopyTo(block, 0);
            using GgufFile file = GgufFile.Open(new GgufBytes { Data = block }.Tensor("a", [32], Types[name].Id, 0).Build());
            Assert.All(Read(file, 0, 32), value => Assert.False(float.IsFinite(value)));
        }
    }

    private static (GgufFile File, float[] Expected) Create(string name)
    {
        StoredType type = Types[name];
        var random = new SeededRandom(11);
        var data = new byte[Rows * Columns / type.BlockValues * type.BlockBytes];
        for (int i = 0; i < data.Length; i++) data[i] = (byte)random.NextUInt64();
        // A NaN's bits may differ from the formula's, so the scales' exponents stay below all ones.
        bool isHalf = name is "F16" or "Q4_1" or "Q8_0";
        for (int block = 0; block < data.Length; block += type.BlockBytes)
        {
            if (isHalf) data[block + 1] &= 0xBF;
            if (name == "Q4_1") data[block + 3] &= 0xBF;
            if (!isHalf) data[block + type.BlockBytes - 1] &= 0xBF;
        }

        var expected = new float[Rows * Columns];
        for (int i = 0; i < expected.Length; i++)
        {
            int block = i / type.BlockValues;
            expected[i] = type.Decode(data.AsSpan(block * type.BlockBytes, type.BlockBytes).ToArray(), i % type.BlockValues);
        }

        return (GgufFile.Open(new GgufBytes { Data = data }.Tensor("a", [Columns, Rows], type.Id, 0).Build()), expected);
    }

    private static float[] Read(GgufFile file, int first, int count)
    {
        var values = new float[count];
        file.ReadSingles("a", first, values);
        return values;
    }

    private static int[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToInt32Bits);

    private sealed record StoredType(uint Id, int BlockValues, int BlockBytes, Func<byte[], int, float> Decode);
}
