using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed class HadamardTests
{
    private static readonly Widths<Transform> Kernel = new(Hadamard.Core<Simd512>, Hadamard.Core<Simd256>, Hadamard.Core<Simd128>, Hadamard.Core<SimdScalar>);

    private delegate void Transform(Span<float> row, int width, ReadOnlySpan<ushort> negatives);

    [Fact]
    public void Blocks_have_the_bits_of_the_plain_loops_at_all_widths()
    {
        var source = new FloatSource(3);
        for (int width = 32; width <= 512; width *= 2)
        {
            for (int blocks = 1; blocks <= 3; blocks++)
            {
                using GuardedMemory<float> row = new(blocks * width, blocks % 2 == 0);
                float[] values = source.Array(row.Length), expected = [.. values];
                values[1] = -0f;
                values[2] = float.Epsilon;
                values.CopyTo(expected, 0);
                ushort[] negatives = [.. Enumerable.Range(0, row.Length / 16).Select(_ => (ushort)source.Integer(1 << 20))];
                for (int i = 0; i < expected.Length; i++) if ((negatives[i / 16] >> (i % 16) & 1) == 1) expected[i] = -expected[i];
                PlainLoops(expected, width);
                foreach ((string name, Transform run) in Kernel.All)
                {
                    values.CopyTo(row.Span);
                    run(row.Span, width, negatives);
                    FloatBits.AssertEqual(expected, row.Span, $"{blocks} blocks of {width}, {name}");
                }
            }
        }
    }

    [Fact]
    public void Shapes_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Hadamard.Transform(new float[32], 16, []));
        Assert.Throws<ArgumentException>(() => Hadamard.Transform(new float[48], 32, []));
        Assert.Throws<ArgumentException>(() => Hadamard.Transform(new float[96], 96, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => Hadamard.Transform(new float[32], 32, new ushort[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Hadamard.ChangeSigns(new float[17], new ushort[2]));
    }

    private static void PlainLoops(float[] row, int width)
    {
        for (int half = 1; half < width; half *= 2)
        {
            for (int i = 0; i < row.Length; i++)
            {
                if ((i & half) == 0) (row[i], row[i + half]) = (row[i] + row[i + half], row[i] - row[i + half]);
            }
        }

        for (int i = 0; i < row.Length; i++) row[i] *= 1 / MathF.Sqrt(width);
    }
}
