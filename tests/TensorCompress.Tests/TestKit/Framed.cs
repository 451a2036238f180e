using System.Numerics;
using System.Runtime.InteropServices;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>A matrix in a frame of NaN, stored as it stands or transposed: what is read beside it poisons the result, what is written beside it shows.</summary>
internal sealed class Framed<T> : IDisposable
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly Matrix<T> _matrix;
    private readonly bool _transposed;

    private Framed(int rows, int columns, bool transposed)
    {
        _transposed = transposed;
        (int storedRows, int storedColumns) = transposed ? (columns, rows) : (rows, columns);
        _matrix = new Matrix<T>(storedRows + 2, storedColumns + 3);
        for (int row = 0; row < _matrix.Rows; row++) _matrix.Row(row).Fill(T.NaN);
    }

    /// <summary>The stored rectangle inside the frame.</summary>
    public MatrixView<T> View => _matrix.View.RowRange(1, _matrix.Rows - 2).ColumnRange(1, _matrix.Columns - 3);

    public MatrixOperand<T> Operand => new(View, _transposed);

    public double this[nint row, nint column] => double.CreateChecked(_transposed ? View.Row(column)[(int)row] : View.Row(row)[(int)column]);

    public static Framed<T> Make(int rows, int columns, bool transposed, Func<int, int, double> element)
    {
        var framed = new Framed<T>(rows, columns, transposed);
        for (int i = 0; i < framed.View.Rows; i++)
        {
            for (int j = 0; j < framed.View.Columns; j++) framed.View.Row(i)[j] = T.CreateChecked(transposed ? element(j, i) : element(i, j));
        }

        return framed;
    }

    public static Framed<T> Random(int rows, int columns, bool transposed, int seed)
    {
        var random = new SeededRandom((ulong)seed);
        return Make(rows, columns, transposed, (_, _) => random.NextDouble() * 2 - 1);
    }

    public Framed<double> Widen() => Framed<double>.Make((int)Operand.Rows, (int)Operand.Columns, _transposed, (i, j) => this[i, j]);

    public void AssertSameBits(Framed<T> expected, string what)
    {
        for (int row = 0; row < _matrix.Rows; row++)
        {
            Span<T> left = expected._matrix.Row(row), right = _matrix.Row(row);
            for (int j = 0; j < left.Length; j++)
            {
                if (!MemoryMarshal.AsBytes(left.Slice(j, 1)).SequenceEqual(MemoryMarshal.AsBytes(right.Slice(j, 1)))) Assert.Fail($"{what}: element ({row - 1}, {j - 1}) is {right[j]}, not {left[j]}");
            }
        }
    }

    public void Dispose() => _matrix.Dispose();
}

/// <summary>Products by plain loops in double.</summary>
internal static class ProductOracle
{
    /// <summary>Fails where the result is further from alpha A B + beta C than rounding explains.</summary>
    public static void AssertNear<T>(Framed<T> a, Framed<T> b, Framed<T>? before, double alpha, double beta, double rounding, MatrixView<T> actual, string what)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        nint depth = a.Operand.Columns;
        for (nint i = 0; i < actual.Rows; i++)
        {
            for (nint j = 0; j < actual.Columns; j++)
            {
                double sum = 0, magnitude = 0;
                for (nint k = 0; k < depth; k++)
                {
                    sum += a[i, k] * b[k, j];
                    magnitude += Math.Abs(a[i, k] * b[k, j]);
                }

                double old = before is null || beta == 0 ? 0 : beta * before[i, j];
                double expected = alpha * sum + old, tolerance = rounding * (depth + 4) * (Math.Abs(alpha) * magnitude + Math.Abs(old));
                double value = double.CreateChecked(actual.Row(i)[(int)j]);
                if (!(Math.Abs(value - expected) <= tolerance)) Assert.Fail($"{what}: element ({i}, {j}) is {value:R}, the oracle says {expected:R}, tolerance {tolerance:g3}");
            }
        }
    }
}
