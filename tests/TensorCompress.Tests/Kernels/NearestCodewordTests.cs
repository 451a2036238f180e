using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public sealed class NearestCodewordTests
{
    private delegate int Search(ReadOnlySpan<float> x, ReadOnlySpan<float> packed);

    private static readonly Widths<Search> Kernel = new(NearestCodeword.Core<Simd512>, NearestCodeword.Core<Simd256>, NearestCodeword.Core<Simd128>, NearestCodeword.Core<SimdScalar>);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void All_counts_and_widths_find_the_nearest(int dimension)
    {
        var source = new FloatSource(5);
        for (int count = 1; count <= 70; count++)
        {
            float[] codewords = source.Array(count * dimension), x = source.Array(dimension), packed = NearestCodeword.Pack(codewords, dimension);
            double[] distances = [.. Enumerable.Range(0, count).Select(i => Enumerable.Range(0, dimension).Sum(k => Math.Pow((double)x[k] - codewords[i * dimension + k], 2)))];
            int? first = null;
            foreach ((string width, Search find) in Kernel.All)
            {
                int found = find(x, packed);
                Assert.True(distances[found] <= distances.Min() * (1 + 1e-5) + 1e-6, $"{count} of {dimension}, width {width}: {found}");
                if (FloatBits.FusedMultiplyAdd) Assert.Equal(first ??= found, found);
            }
        }
    }

    [Fact]
    public void Of_equal_ones_it_is_the_first()
    {
        float[] packed = NearestCodeword.Pack([.. Enumerable.Repeat(1f, 8 * 40)], 8);
        foreach ((_, Search find) in Kernel.All) Assert.Equal(0, find(new float[8], packed));
        packed = NearestCodeword.Pack([.. Enumerable.Range(0, 40).SelectMany(i => Enumerable.Repeat(i is 19 or 33 ? 0f : 1f, 8))], 8);
        foreach ((_, Search find) in Kernel.All) Assert.Equal(19, find(new float[8], packed));
    }

    [Fact]
    public void Lengths_are_checked() => Assert.Throws<ArgumentOutOfRangeException>(() => NearestCodeword.Find(new float[8], new float[100]));
}
