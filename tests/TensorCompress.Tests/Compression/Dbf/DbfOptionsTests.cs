using System.Globalization;
using System.Text.RegularExpressions;
using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;

namespace TensorCompress.Tests.Compression.Dbf;

public sealed class DbfOptionsTests
{
    private static readonly int[] Sizes = [1, 3, 8, 17, 60, 64, 100, 172, 512, 576, 1001, 1536, 4096, 11008, 151936];

    [Fact]
    public void The_least_bits_that_a_refusal_names_are_accepted()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = new CultureInfo("") { NumberFormat = new NumberFormatInfo { NumberDecimalSeparator = "," } };
        try
        {
            foreach (int rows in Sizes)
            {
                foreach (int columns in Sizes)
                {
                    string message = Assert.Throws<ArgumentException>(() => new DbfOptions(1e-9).MiddleDimensionFor(rows, columns)).Message;
                    double least = double.Parse(Regex.Match(message, @"the least is (\S+)\.$").Groups[1].Value, NumberStyles.Float, CultureInfo.InvariantCulture);
                    Assert.Equal(1, new DbfOptions(least).MiddleDimensionFor(rows, columns));
                    Assert.InRange(least, Charged(rows, columns, 1), Charged(rows, columns, 1) * 1.001);
                }
            }
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Theory]
    [InlineData(0, 0, "rows")]
    [InlineData(-3, 5, "rows")]
    [InlineData(5, 0, "columns")]
    [InlineData(5, int.MinValue, "columns")]
    public void Sizes_that_no_matrix_has_are_refused(int rows, int columns, string name)
    {
        foreach (DbfOptions options in new[] { new DbfOptions(bits: 2), new DbfOptions(middleDimension: 1) })
            Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => options.MiddleDimensionFor(rows, columns)).ParamName);
    }

    [Fact]
    public void Bits_that_a_middle_dimension_takes_exactly_pay_for_it()
    {
        foreach (int rows in Sizes)
        {
            foreach (int columns in Sizes)
            {
                for (int middle = 1; Charged(rows, columns, middle) <= 64 && middle < 40_000; middle += 1 + middle / 7)
                {
                    double bits = Charged(rows, columns, middle);
                    Assert.Equal(middle, new DbfOptions(bits).MiddleDimensionFor(rows, columns));
                    if (middle > 1) Assert.Equal(middle - 1, new DbfOptions(Math.BitDecrement(bits)).MiddleDimensionFor(rows, columns));
                }
            }
        }
    }

    [Fact]
    public void A_middle_dimension_that_no_file_may_have_is_refused_before_the_work()
    {
        Assert.Equal(2048, new DbfOptions(middleDimension: 2048).MiddleDimensionFor(64, 64));
        Assert.Contains("the most is 2048", Assert.Throws<ArgumentException>(() => new DbfOptions(middleDimension: 2049).MiddleDimensionFor(64, 64)).Message, StringComparison.Ordinal);
        Assert.Equal(32, new DbfOptions(middleDimension: 32).MiddleDimensionFor(1, 1));
        Assert.Throws<ArgumentException>(() => new DbfOptions(middleDimension: 33).MiddleDimensionFor(1, 1));
        Assert.Equal(int.MaxValue, new DbfOptions(middleDimension: int.MaxValue).MiddleDimensionFor(int.MaxValue, int.MaxValue));
    }

    [Fact]
    public void Neither_and_both_are_two_faults()
    {
        Assert.Contains("is required", Assert.Throws<ArgumentException>(() => new DbfOptions()).Message, StringComparison.Ordinal);
        Assert.Contains("exclude each other", Assert.Throws<ArgumentException>(() => new DbfOptions(bits: 1, middleDimension: 4)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dbf:middle=12:solver=paper", 1)]
    [InlineData("dbf:middle=12:diagonal-share=0.25:solver=paper", 0.25)]
    [InlineData("dbf:middle=12:diagonal-share=0.5:solver=paper", 0.5)]
    [InlineData("dbf:middle=12", 0.5)]
    [InlineData("dbf:middle=12:diagonal-share=1", 1)]
    public void The_published_solver_knows_the_diagonal_alone_unless_told_otherwise(string text, double share)
    {
        var options = (DbfOptions)CompressionMethods.ParseOptions(text);
        Assert.Equal(share, options.DiagonalShare);
        Assert.Equal(text, options.ToText());
        Assert.Equal(DbfOptions.Paper(12), new DbfOptions(middleDimension: 12, schedule: DbfSchedule.Paper));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2.001)]
    [InlineData(1e6)]
    [InlineData(double.NaN)]
    public void Relaxation_that_diverges_is_refused(double relaxation) => Assert.Throws<ArgumentOutOfRangeException>(() => new DbfSchedule { Relaxation = relaxation });

    private static double Charged(int rows, int columns, int middle) =>
        (middle * 8L * ((rows + 7) / 8 + (columns + 7) / 8) + 16L * ((long)rows + columns + middle)) / ((double)rows * columns);
}
