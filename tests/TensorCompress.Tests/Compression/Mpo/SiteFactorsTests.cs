using TensorCompress.Compression.Mpo;

namespace TensorCompress.Tests.Compression.Mpo;

public sealed class SiteFactorsTests
{
    [Theory]
    [InlineData(576, 2, new[] { 24, 24 })]
    [InlineData(1536, 2, new[] { 32, 48 })]
    [InlineData(192, 2, new[] { 12, 16 })]
    [InlineData(128, 2, new[] { 8, 16 })]
    [InlineData(49152, 2, new[] { 192, 256 })]
    [InlineData(50257, 2, new[] { 206, 244 })]
    [InlineData(361, 2, new[] { 19, 19 })]
    [InlineData(65, 2, new[] { 5, 13 })]
    [InlineData(1, 2, new[] { 1, 1 })]
    [InlineData(7, 2, new[] { 2, 4 })]
    [InlineData(4096, 3, new[] { 16, 16, 16 })]
    [InlineData(512, 3, new[] { 8, 8, 8 })]
    [InlineData(128, 3, new[] { 4, 4, 8 })]
    [InlineData(97, 1, new[] { 97 })]
    public void Default_factors_are_the_documented_ones(int dimension, int sites, int[] expected) => Assert.Equal(expected, SiteFactors.Balanced(dimension, sites));

    [Fact]
    public void Default_factors_cover_every_dimension_tightly_and_evenly()
    {
        for (int sites = 1; sites <= 6; sites++)
        {
            for (int dimension = 1; dimension <= 3000; dimension += dimension < 300 ? 1 : 37)
            {
                int[] factors = SiteFactors.Balanced(dimension, sites);
                int product = factors.Aggregate(1, (a, b) => a * b);
                Assert.Equal(sites, factors.Length);
                Assert.InRange(product, dimension, 2 * dimension);
                Assert.True(factors.SequenceEqual(factors.Order()) && factors[^1] <= SiteFactors.MaxAspect * factors[0]);
            }
        }
    }

    [Fact]
    public void Large_dimensions_are_quick_and_hardly_padded()
    {
        foreach (int dimension in new[] { 128256, 151936, 262144, 999983, 32003 })
        {
            foreach (int sites in new[] { 2, 3, 4 })
                Assert.InRange(SiteFactors.Balanced(dimension, sites).Aggregate(1L, (a, b) => a * b), dimension, dimension * 1.01);
        }
    }

    [Fact]
    public void Parameters_and_bonds_follow_the_formulas()
    {
        // "up" of the PicoGPT paper: 512 x 128 as 8.8.8 x 4.4.8 has 96 chi + 32 chi^2 parameters.
        var factors = new SiteFactors([8, 8, 8], [4, 4, 8]);
        foreach (int chi in new[] { 4, 8, 16, 32 }) Assert.Equal(96 * chi + 32 * chi * chi, factors.ParameterCount(factors.Bonds(chi)));
        Assert.Equal([32, 64], factors.UsefulBonds());
        Assert.Equal([1, 32, 50, 1], factors.Bonds(50));
        Assert.Throws<ArgumentOutOfRangeException>(() => factors.Bonds(0));
    }

    [Fact]
    public void Factors_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new SiteFactors([2, 3], [6]));
        Assert.Throws<ArgumentException>(() => new SiteFactors([], []));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SiteFactors([2, 0], [2, 2]));
        Assert.Throws<ArgumentException>(() => new SiteFactors([65536, 65536], [2, 2]));
        Assert.Throws<ArgumentException>(() => new SiteFactors([.. Enumerable.Repeat(1, 17)], [.. Enumerable.Repeat(1, 17)]));
        Assert.Throws<ArgumentException>(() => new SiteFactors([4, 5], [4, 5]).ThrowIfUnfit(21, 20));
        Assert.Throws<ArgumentException>(() => new SiteFactors([4, 5], [4, 5]).ThrowIfUnfit(20, 9));
        new SiteFactors([4, 5], [4, 5]).ThrowIfUnfit(19, 20);
        Assert.Throws<ArgumentOutOfRangeException>(() => SiteFactors.Balanced(0, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => SiteFactors.Balanced(5, 0));
        Assert.Equal(new SiteFactors([4, 5], [2, 3]), new SiteFactors([4, 5], [2, 3]));
        Assert.NotEqual(new SiteFactors([4, 5], [2, 3]), new SiteFactors([5, 4], [2, 3]));
    }
}
