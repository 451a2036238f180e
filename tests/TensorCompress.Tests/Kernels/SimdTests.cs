using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

/// <summary>Each operation of the sixteen-lane interface at each width, lane by lane against plain floats.</summary>
public class SimdTests
{
    [Fact]
    public void Bits512_are_sixteen_plain_floats() => Check<Simd512>();

    [Fact]
    public void Bits256_are_sixteen_plain_floats() => Check<Simd256>();

    [Fact]
    public void Bits128_are_sixteen_plain_floats() => Check<Simd128>();

    [Fact]
    public void Scalars_are_sixteen_plain_floats() => Check<SimdScalar>();

    [Theory]
    [InlineData(null, SimdWidth.Bits512)]
    [InlineData("", SimdWidth.Bits512)]
    [InlineData("512", SimdWidth.Bits512)]
    [InlineData("256", SimdWidth.Bits256)]
    [InlineData("128", SimdWidth.Bits128)]
    [InlineData("scalar", SimdWidth.Scalar)]
    public void The_variable_caps_the_width(string? text, SimdWidth expected)
    {
        Assert.Equal(expected, SimdLevel.Cap(SimdWidth.Bits512, text));
        Assert.Equal(expected < SimdWidth.Bits128 ? expected : SimdWidth.Bits128, SimdLevel.Cap(SimdWidth.Bits128, text));
    }

    [Theory]
    [InlineData("1024")]
    [InlineData("Scalar")]
    [InlineData(" 256")]
    public void Another_cap_is_refused_with_the_choices(string text)
    {
        Assert.Null(SimdLevel.Cap(SimdWidth.Bits512, text));
        string message = SimdLevel.Refusal(text).Message;
        Assert.Contains(text, message, StringComparison.Ordinal);
        Assert.Contains("512, 256, 128 or scalar", message, StringComparison.Ordinal);
    }

    private static void Check<TSimd>()
        where TSimd : struct, ISimd<TSimd>
    {
        var source = new FloatSource(11);
        float[] a = source.Array(16, 50f), b = source.Array(16, 50f), c = source.Array(16, 50f);
        (a[3], b[3], a[5], b[7]) = (0.5f, 0.5f, 1.5f, float.NaN);
        (a[9], a[10], a[11]) = (-2.5f, 2.5f, -0.5f);
        float[] powers = [.. Enumerable.Range(0, 16).Select(i => (float)(-126 + i * 17 - (i == 15 ? 2 : 0)))];
        TSimd va = Load<TSimd>(a), vb = Load<TSimd>(b), vc = Load<TSimd>(c);
        Same(va, i => a[i], "load and store");
        Same(TSimd.Zero, _ => 0f, "zero");
        Same(TSimd.Broadcast(1.25f), _ => 1.25f, "broadcast");
        Same(TSimd.FromSigned(Vector128.Create(-128, -127, -64, -33, -8, -1, 0, 1, 2, 7, 15, 31, 63, 64, 126, 127).AsByte().AsSByte()), i => new[] { -128, -127, -64, -33, -8, -1, 0, 1, 2, 7, 15, 31, 63, 64, 126, 127 }[i], "from signed");
        Same(va + vb, i => a[i] + b[i], "+");
        Same(va - vb, i => a[i] - b[i], "-");
        Same(va * vb, i => a[i] * b[i], "*");
        Same(va / vb, i => a[i] / b[i], "/");
        Same(TSimd.Max(va, vb), i => MathF.Max(a[i], b[i]), "max");
        Same(TSimd.Min(va, vb), i => MathF.Min(a[i], b[i]), "min");
        Same(TSimd.Round(va), i => MathF.Round(a[i]), "round");
        Same(TSimd.PowerOfTwo(Load<TSimd>(powers)), i => (float)Math.Pow(2, powers[i]), "power of two");
        Same(TSimd.MultiplyAdd(va, vb, vc), i => FloatBits.FusedMultiplyAdd ? MathF.FusedMultiplyAdd(a[i], b[i], c[i]) : a[i] * b[i] + c[i], "multiply-add");
        TSimd sum = vc;
        TSimd.Accumulate(ref sum, va, vb);
        Same(sum, i => FloatBits.FusedMultiplyAdd ? MathF.FusedMultiplyAdd(a[i], b[i], c[i]) : a[i] * b[i] + c[i], "accumulate");
        CheckReductions(va, a, vc, c);
        CheckBits(va, a, vb, b);
    }

    private static unsafe void CheckBits<TSimd>(TSimd va, float[] a, TSimd vb, float[] b)
        where TSimd : struct, ISimd<TSimd>
    {
        Same(va & vb, i => Float(Bits(a[i]) & Bits(b[i])), "and");
        Same(va | vb, i => Float(Bits(a[i]) | Bits(b[i])), "or");
        Same(TSimd.AddBits(va, vb), i => Float(Bits(a[i]) + Bits(b[i])), "add bits");
        Same(TSimd.ShiftLeft(va, 5), i => Float(Bits(a[i]) << 5), "shift left");
        Same(TSimd.ShiftRight(va, 13), i => Float(Bits(a[i]) >> 13), "shift right");
        Same(TSimd.Select(TSimd.LessThan(va, vb), va, vb), i => a[i] < b[i] ? a[i] : b[i], "less than, select");
        Same(TSimd.Select(TSimd.IsNaN(vb), va, vb), i => float.IsNaN(b[i]) ? a[i] : b[i], "is NaN");
        Same(TSimd.SwapNeighbours(va), i => a[i ^ 1], "swap neighbours");
        ushort[] words = [.. Enumerable.Range(0, 16).Select(i => (ushort)(0xFFFF - 4000 * i))], stored = new ushort[16];
        fixed (ushort* from = words, to = stored)
        {
            TSimd loaded = TSimd.LoadWords(from);
            int[] integers = [.. words]; // not words: see SimdScalar.LoadWords
            Same(loaded, i => Float((uint)integers[i]), "load words");
            int[] signed = [.. integers.Select(word => (int)(short)word)];
            Same(TSimd.LoadShorts((short*)from), i => Float((uint)signed[i]), "load shorts");
            TSimd.StoreWords(loaded | Lanes.Bits<TSimd>(0xABCD0000), to);
            Assert.Equal(words, stored);
        }

        fixed (float* from = a)
        {
            Same(Lanes.Load<TSimd>(from, 5, 3f), i => i < 5 ? a[i] : 3f, "load of five");
            float[] five = new float[16];
            fixed (float* to = five) Lanes.Store(va, to, 5);
            FloatBits.AssertEqual([.. a[..5], .. new float[11]], five, "store of five");
        }
    }

    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);

    private static float Float(uint bits) => BitConverter.UInt32BitsToSingle(bits);

    private static void CheckReductions<TSimd>(TSimd va, float[] a, TSimd vc, float[] c)
        where TSimd : struct, ISimd<TSimd>
    {
        FloatBits.AssertEqual([Tree(a)], [Reduction.Sum(va)], "sum");
        Vector128<float> four = Reduction.Sum4(va, vc, va + vc, va - vc);
        float[] sums = [.. a.Zip(c, (x, y) => x + y)], differences = [.. a.Zip(c, (x, y) => x - y)];
        FloatBits.AssertEqual([Tree(a), Tree(c), Tree(sums), Tree(differences)], [four[0], four[1], four[2], four[3]], "four sums");
    }

    /// <summary>Halves are added until one is left: (i, i + 8), (i, i + 4), (i, i + 2), (i, i + 1).</summary>
    private static float Tree(float[] lanes)
    {
        float[] left = [.. lanes];
        for (int half = 8; half > 0; half /= 2)
        {
            for (int i = 0; i < half; i++) left[i] += left[i + half];
        }

        return left[0];
    }

    private static unsafe TSimd Load<TSimd>(float[] values)
        where TSimd : struct, ISimd<TSimd>
    {
        fixed (float* pointer = values) return TSimd.Load(pointer);
    }

    private static unsafe void Same<TSimd>(TSimd value, Func<int, float> expected, string what)
        where TSimd : struct, ISimd<TSimd>
    {
        float[] actual = new float[16];
        fixed (float* pointer = actual) TSimd.Store(value, pointer);
        FloatBits.AssertEqual([.. Enumerable.Range(0, 16).Select(expected)], actual, $"{typeof(TSimd).Name} {what}");
    }
}
