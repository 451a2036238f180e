using System.Runtime.InteropServices;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Storage;

/// <summary>Two real matrices that ggml quantised in sixteen types: its values and its blocks, to the bit.</summary>
public class GgufGoldenTests
{
    private const int Columns = 768;

    public static TheoryData<string, string> Decoded
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string matrix in new[] { "gpt2s_h0_q", "gpt2s_h11_proj" })
            {
                foreach (string type in new[]
                {
                    "bf16", "f16", "iq4_nl", "iq4_xs", "q2_K", "q3_K", "q4_0", "q4_1", "q4_K", "q5_0", "q5_1", "q5_K", "q6_K", "q8_0", "tq1_0", "tq2_0",
                }) data.Add(matrix, type);
            }

            return data;
        }
    }

    [SharedTheory]
    [MemberData(nameof(Decoded))]
    public void Decoded_values_are_those_of_ggml(string matrix, string name)
    {
        GgufTensorType type = Type(name);
        float[] expected = Floats($"{matrix}.{name}.deq.f32");
        byte[] blocks = File.ReadAllBytes(Path($"{matrix}.{name}.bin"));
        var values = new float[blocks.Length / type.BlockBytes * type.BlockValues];
        type.Decode(blocks, values);
        Assert.Equal(64 * Columns, values.Length);
        FloatBits.AssertEqual(expected, values.AsSpan(0, expected.Length), name);
    }

    [SharedTheory]
    [InlineData("gpt2s_h0_q", "bf16")]
    [InlineData("gpt2s_h0_q", "f16")]
    [InlineData("gpt2s_h0_q", "q4_0")]
    [InlineData("gpt2s_h0_q", "q8_0")]
    [InlineData("gpt2s_h11_proj", "bf16")]
    [InlineData("gpt2s_h11_proj", "f16")]
    [InlineData("gpt2s_h11_proj", "q4_0")]
    [InlineData("gpt2s_h11_proj", "q8_0")]
    public void Quantised_blocks_are_those_of_ggml(string matrix, string name)
    {
        GgufTensorType type = Type(name);
        float[] values = Floats($"{matrix}_rows0-63.f32");
        var blocks = new byte[type.ByteLength(values.Length)];
        type.Encode(values, blocks);
        Assert.Equal(File.ReadAllBytes(Path($"{matrix}.{name}.bin")), blocks);
    }

    private static GgufTensorType Type(string name) => GgufTensorTypes.All.Single(type => type.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static float[] Floats(string file) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path(file))).ToArray();

    private static string Path(string file) => SharedData.Path("fixtures/ggml-goldens/" + file);
}
