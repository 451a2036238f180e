using MathNet.Numerics;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class ElementwiseTests
{
    private const int MaxLength = 256;
    private const float Sentinel = 12345.678f;

    private delegate void MapKernel(ReadOnlySpan<float> source, Span<float> destination);

    private delegate void CombineKernel(ReadOnlySpan<float> left, ReadOnlySpan<float> right, Span<float> destination);

    [Fact]
    public void Silu_is_its_formula() => CheckMap<Silu>(x => x / (1 + Math.Exp(-x)));

    [Fact]
    public void Tanh_gelu_is_its_formula() => CheckMap<GeluTanh>(x => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))));

    [Fact]
    public void Erf_gelu_is_its_formula() => CheckMap<GeluErf>(x => 0.5 * x * SpecialFunctions.Erfc(-x / Math.Sqrt(2)));

    [Fact]
    public void Relu_is_its_formula() => CheckMap<Relu>(x => Math.Max(x, 0));

    [Fact]
    public void Tanh_is_its_formula() => CheckMap<SoftCap.Tanh>(Math.Tanh);

    [Fact]
    public void Combining_covers_all_lengths_at_all_widths()
    {
        var source = new FloatSource(3);
        for (int n = 0; n <= MaxLength; n++)
        {
            float[] a = source.Array(n), b = source.Array(n), expected = [.. a.Zip(b, (x, y) => x - 2 * y)];
            foreach ((string width, CombineKernel run) in CombineWidths.All)
            {
                float[] result = Framed(n);
                run(a, b, result.AsSpan(1, n));
                FloatBits.AssertEqual(Frame(expected), result, $"n = {n}, width {width}");
                float[] inPlace = [.. b];
                run(a, inPlace, inPlace);
                FloatBits.AssertEqual(expected, inPlace, $"n = {n}, width {width}, in place");
            }
        }
    }

    [Fact]
    public void Sums_are_element_by_element()
    {
        float[] a = new FloatSource(1).Array(37), b = new FloatSource(2).Array(37), sum = new float[37];
        Elementwise.Add(a, b, sum);
        FloatBits.AssertEqual([.. a.Zip(b, (x, y) => x + y)], sum, "sum");
    }

    [Fact]
    public void Lengths_must_be_equal()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Elementwise.Map<Relu>(new float[3], new float[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Elementwise.Add(new float[3], new float[4], new float[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Elementwise.Add(new float[3], new float[3], new float[4]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Nothing_outside_the_spans_is_touched(bool guardAfter)
    {
        for (int n = 0; n <= 70; n++)
        {
            using var a = new GuardedMemory<float>(n, guardAfter);
            using var b = new GuardedMemory<float>(n, guardAfter);
            using var c = new GuardedMemory<float>(n, guardAfter);
            foreach ((_, MapKernel run) in MapWidths<Silu>().All) run(a.Span, b.Span);
            foreach ((_, CombineKernel run) in CombineWidths.All) run(a.Span, b.Span, c.Span);
        }
    }

    private static Widths<CombineKernel> CombineWidths => new(
        Elementwise.CombineCore<Simd512, MinusTwice>, Elementwise.CombineCore<Simd256, MinusTwice>, Elementwise.CombineCore<Simd128, MinusTwice>, Elementwise.CombineCore<SimdScalar, MinusTwice>);

    private static Widths<MapKernel> MapWidths<TOperation>()
        where TOperation : struct, IUnaryOperation => new(
            Elementwise.MapCore<Simd512, TOperation>, Elementwise.MapCore<Simd256, TOperation>, Elementwise.MapCore<Simd128, TOperation>, Elementwise.MapCore<SimdScalar, TOperation>);

    private static void CheckMap<TOperation>(Func<double, double> oracle)
        where TOperation : struct, IUnaryOperation
    {
        var source = new FloatSource(7);
        Widths<MapKernel> widths = MapWidths<TOperation>();
        for (int n = 0; n <= MaxLength; n++)
        {
            float[] x = source.Array(n, n % 3 == 0 ? 12f : 2f);
            float[] reference = new float[n];
            widths.Bits512(x, reference);
            FloatBits.AssertNear(i => oracle(x[i]), reference, i => 5e-7 * Math.Max(1, Math.Abs(x[i])), $"n = {n}");
            foreach ((string width, MapKernel run) in widths.All)
            {
                float[] result = Framed(n);
                run(x, result.AsSpan(1, n));
                if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(Frame(reference), result, $"n = {n}, width {width}");
                FloatBits.AssertNear(i => oracle(x[i]), result.AsSpan(1, n), i => 5e-7 * Math.Max(1, Math.Abs(x[i])), $"n = {n}, width {width}");
                float[] inPlace = [.. x];
                run(inPlace, inPlace);
                FloatBits.AssertEqual(result.AsSpan(1, n), inPlace, $"n = {n}, width {width}, in place");
            }
        }

        CheckNaN(widths);
    }

    private static void CheckNaN(Widths<MapKernel> widths)
    {
        foreach ((string width, MapKernel run) in widths.All)
        {
            for (int at = 0; at < 21; at++)
            {
                float[] x = [.. Enumerable.Repeat(0.5f, 21)];
                x[at] = float.NaN;
                run(x, x);
                Assert.All(x, (value, i) => Assert.True(float.IsNaN(value) == (i == at), $"width {width}: NaN at {at} shows at {i}"));
            }
        }
    }

    private static float[] Framed(int n) => [.. Enumerable.Repeat(Sentinel, n + 2)];

    private static float[] Frame(float[] values) => [Sentinel, .. values, Sentinel];

    private readonly struct MinusTwice : IBinaryOperation
    {
        public static TSimd Apply<TSimd>(TSimd x, TSimd y)
            where TSimd : struct, ISimd<TSimd> => x - TSimd.Broadcast(2f) * y;
    }
}
