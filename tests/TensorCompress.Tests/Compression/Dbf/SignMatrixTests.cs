using TensorCompress.Compression.Dbf;
using TensorCompress.Kernels;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Dbf;

public class SignMatrixTests
{
    [Fact]
    public void Signs_come_back_from_their_bits_and_both_ways_of_packing_agree_with_them()
    {
        var source = new FloatSource(5);
        foreach ((int rows, int columns) in new[] { (1, 1), (1, 8), (9, 7), (16, 32), (17, 33), (40, 131), (257, 65) })
        {
            using var values = new Matrix<float>(rows, columns, source.Array(rows * columns));
            SignMatrix signs = SignMatrix.FromSigns(values.View);
            using var decoded = new Matrix<float>(rows, columns);
            signs.Decode(decoded.View);
            SignMatrix copy = new(rows, columns, signs.Bytes), turned = SignMatrix.FromSigns(Transposed(values).View);
            SignLayout layout = (rows + columns) % 2 == 0 ? SignLayout.Lanes : SignLayout.Words;
            using SignBlocks fromRows = SignBlocks.FromRows(copy.Bytes, rows, columns, layout), fromColumns = SignBlocks.FromColumns(turned.Bytes, rows, columns, layout);
            for (int row = 0; row < rows; row++)
            {
                for (int column = 0; column < columns; column++)
                {
                    int expected = values[row, column] < 0 ? -1 : 1;
                    Assert.Equal(
                        (expected, expected, expected > 0, expected > 0),
                        ((int)decoded[row, column], copy[row, column], fromRows.IsPositive(row, column), fromColumns.IsPositive(row, column)));
                }
            }

            for (int block = 0; block < fromRows.Blocks; block++) Assert.True(fromRows.Bytes.Row(block).SequenceEqual(fromColumns.Bytes.Row(block)));
        }
    }

    [Fact]
    public void The_first_column_is_the_most_significant_bit()
    {
        using var values = new Matrix<float>(2, 10, [1, -1, -1, 0, -1, -1, -1, 2, -3, 4, -1, -1, -1, -1, -1, -1, -1, -1, -0f, -1]);
        SignMatrix signs = SignMatrix.FromSigns(values.View);
        Assert.Equal([0b10010001, 0b01000000, 0b00000000, 0b10000000], signs.Bytes.ToArray());
    }

    [Fact]
    public void Bytes_that_are_no_signs_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new SignMatrix(2, 10, new byte[3]));
        Assert.Throws<ArgumentException>(() => new SignMatrix(2, 10, [0, 0, 0, 1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SignMatrix(0, 10, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SignMatrix(1, 8, [0])[0, 8]);
        Assert.Throws<ArgumentOutOfRangeException>(() => new SignMatrix(1, 8, [0])[1, 0]);
        using var values = new Matrix<float>(1, 2, [1, float.NaN]);
        Assert.Throws<ArgumentException>(() => SignMatrix.FromSigns(values.View));
    }

    private static Matrix<float> Transposed(Matrix<float> values)
    {
        var turned = new Matrix<float>(values.Columns, values.Rows);
        for (nint row = 0; row < values.Rows; row++)
        {
            for (nint column = 0; column < values.Columns; column++) turned[column, row] = values[row, column];
        }

        return turned;
    }
}
