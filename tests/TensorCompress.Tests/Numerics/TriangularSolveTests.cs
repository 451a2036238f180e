using System.Numerics;
using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Numerics;

public class TriangularSolveTests
{
    private unsafe delegate void Block(int rows, double* lower, double* x, nint stride, nint columns);

    public static TheoryData<int, int> Shapes => new() { { 1, 1 }, { 2, 9 }, { 7, 64 }, { 63, 3 }, { 64, 70 }, { 65, 1 }, { 130, 17 }, { 257, 9 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Residuals_are_rounding_on_both_sides_for_both_triangles_transposed_or_not(int n, int count)
    {
        foreach (bool transposed in new[] { false, true })
        {
            foreach (Triangle triangle in new[] { Triangle.Lower, Triangle.Upper })
            {
                using Framed<double> t = Triangular<double>(n, triangle, transposed), left = Framed<double>.Random(n, count, false, 2), right = Framed<double>.Random(count, n, false, 3);
                TriangularSolve.Left(t.Operand, triangle, left.View);
                AssertResidual(t, triangle, (k, j) => left[k, j], Framed<double>.Random(n, count, false, 2), n, count, isRight: false, 1.2e-16);
                TriangularSolve.Right(t.Operand, triangle, right.View);
                AssertResidual(t, triangle, (k, j) => right[j, k], Framed<double>.Random(count, n, false, 3), n, count, isRight: true, 1.2e-16);
                using Framed<float> narrow = Triangular<float>(n, triangle, transposed), single = Framed<float>.Random(n, count, false, 2), wide = Framed<float>.Random(count, n, false, 3);
                TriangularSolve.Left(narrow.Operand, triangle, single.View);
                AssertResidual(narrow, triangle, (k, j) => single[k, j], Framed<float>.Random(n, count, false, 2), n, count, isRight: false, 6e-8);
                TriangularSolve.Right(narrow.Operand, triangle, wide.View);
                AssertResidual(narrow, triangle, (k, j) => wide[j, k], Framed<float>.Random(count, n, false, 3), n, count, isRight: true, 6e-8);
            }
        }
    }

    [Fact]
    public void The_bits_do_not_depend_on_threads_or_the_number_of_right_hand_sides()
    {
        using Framed<double> t = Triangular<double>(200, Triangle.Lower, false), expected = Framed<double>.Random(200, 300, false, 2), actual = Framed<double>.Random(200, 300, false, 2), few = Framed<double>.Random(200, 300, false, 2);
        using ComputePool one = new(1), three = new(3);
        TriangularSolve.Left(t.Operand, Triangle.Lower, expected.View, one);
        TriangularSolve.Left(t.Operand, Triangle.Lower, actual.View, three);
        actual.AssertSameBits(expected, "three threads");
        TriangularSolve.Left(t.Operand, Triangle.Lower, few.View.ColumnRange(17, 5), three);
        for (int i = 0; i < 200; i++) Assert.True(few.View.Row(i).Slice(17, 5).SequenceEqual(expected.View.Row(i).Slice(17, 5)));
    }

    [Fact]
    public unsafe void Blocks_have_the_same_bits_at_all_widths()
    {
        using Framed<double> t = Triangular<double>(64, Triangle.Lower, false), expected = Framed<double>.Random(64, 77, false, 1);
        double[] lower = new double[64 * TriangularBlock.MaxRows];
        for (int i = 0; i < 64; i++) t.View.Row(i)[..(i + 1)].CopyTo(lower.AsSpan(i * TriangularBlock.MaxRows));
        Block[] widths = [TriangularBlock.Core<RegisterScalar<double>, double>, TriangularBlock.Core<Register128<double>, double>, TriangularBlock.Core<Register256<double>, double>, TriangularBlock.Core<Register512<double>, double>];
        fixed (double* l = lower)
        {
            widths[0](64, l, expected.View.Pointer, expected.View.Stride, 77);
            foreach (Block run in widths.AsSpan(1))
            {
                using Framed<double> x = Framed<double>.Random(64, 77, false, 1);
                run(64, l, x.View.Pointer, x.View.Stride, 77);
                x.AssertSameBits(expected, "another width");
            }
        }
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void A_singular_diagonal_is_named_and_nothing_is_written(float pivot)
    {
        using Framed<float> t = Triangular<float>(80, Triangle.Upper, false), b = Framed<float>.Random(80, 3, false, 1), before = Framed<float>.Random(80, 3, false, 1);
        t.View.Row(71)[71] = pivot;
        Assert.Contains("diagonal element 71", Assert.Throws<ArithmeticException>(() => TriangularSolve.Left(t.Operand, Triangle.Upper, b.View)).Message, StringComparison.Ordinal);
        b.AssertSameBits(before, "right-hand sides");
    }

    [Fact]
    public void Shapes_must_fit_and_may_be_empty()
    {
        using Matrix<double> t = new(3, 3), b = new(4, 3), rectangle = new(3, 4), none = new(0, 0), wide = new(0, 5);
        Assert.Throws<ArgumentException>(() => TriangularSolve.Left(t, Triangle.Lower, b.View));
        Assert.Throws<ArgumentException>(() => TriangularSolve.Right(t, Triangle.Lower, rectangle.View));
        Assert.Throws<ArgumentException>(() => TriangularSolve.Left(rectangle, Triangle.Lower, b.View));
        Assert.Throws<ArgumentOutOfRangeException>(() => TriangularSolve.Right(t, (Triangle)2, b.View));
        TriangularSolve.Left(none, Triangle.Lower, wide.View);
        for (int i = 0; i < 3; i++) t[i, i] = 1;
        TriangularSolve.Right(t, Triangle.Lower, new Matrix<double>(0, 3).View);
    }

    // Well conditioned; NaN in the half that must not be read.
    private static Framed<T> Triangular<T>(int n, Triangle triangle, bool transposed)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var random = new SeededRandom(9);
        return Framed<T>.Make(n, n, transposed, (i, j) => i == j ? 1 + random.NextDouble() : (triangle == Triangle.Lower) == (i > j) ? (random.NextDouble() - 0.5) / Math.Sqrt(n) : double.NaN);
    }

    // |T X - B| against |T| |X|, element by element, with T (or its transpose, for solves from the right) by rows.
    private static void AssertResidual<T>(Framed<T> t, Triangle triangle, Func<int, int, double> x, Framed<T> before, int n, int count, bool isRight, double rounding)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        bool lower = (triangle == Triangle.Lower) != isRight;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < count; j++)
            {
                double sum = 0, magnitude = 0;
                for (int k = lower ? 0 : i; k < (lower ? i + 1 : n); k++)
                {
                    double product = (isRight ? t[k, i] : t[i, k]) * x(k, j);
                    sum += product;
                    magnitude += Math.Abs(product);
                }

                double residual = Math.Abs(sum - (isRight ? before[j, i] : before[i, j]));
                Assert.True(residual <= rounding * (n + 4) * magnitude, $"{triangle}, right {isRight}, element ({i}, {j}): residual {residual:g3} of {magnitude:g3}");
            }
        }

        before.Dispose();
    }
}
