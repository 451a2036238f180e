using System.Numerics.Tensors;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>Two cores, or a direction in which they move, in single precision, both with the bond first.</summary>
/// <param name="First">A^T, [r, (o_1 i_1)].</param>
/// <param name="Second">B, [r, (o_2 i_2)].</param>
internal sealed record CorePair(Matrix<float> First, Matrix<float> Second) : IDisposable
{
    /// <summary>Zeros.</summary>
    public CorePair(nint bond, nint first, nint second)
        : this(new Matrix<float>(bond, first), new Matrix<float>(bond, second))
    {
    }

    public nint Bond => First.Rows;

    public CorePair Copy()
    {
        var copy = new CorePair(Bond, First.Columns, Second.Columns);
        First.View.CopyTo(copy.First.View);
        Second.View.CopyTo(copy.Second.View);
        return copy;
    }

    public double Dot(CorePair other)
    {
        double sum = 0;
        for (nint r = 0; r < Bond; r++) sum += DoubleVectors.Dot(First.Row(r), other.First.Row(r)) + DoubleVectors.Dot(Second.Row(r), other.Second.Row(r));
        return sum;
    }

    /// <summary>x = x + factor other.</summary>
    public void Add(float factor, CorePair other)
    {
        AddScaled(First, factor, other.First);
        AddScaled(Second, factor, other.Second);
    }

    /// <summary>x = factor x + other.</summary>
    public void ScaleAndAdd(float factor, CorePair other)
    {
        for (nint r = 0; r < Bond; r++)
        {
            TensorPrimitives.FusedMultiplyAdd<float>(First.Row(r), factor, other.First.Row(r), First.Row(r));
            TensorPrimitives.FusedMultiplyAdd<float>(Second.Row(r), factor, other.Second.Row(r), Second.Row(r));
        }
    }

    public void Dispose()
    {
        First.Dispose();
        Second.Dispose();
    }

    /// <summary>x = x + factor y.</summary>
    public static void AddScaled(MatrixView<float> x, float factor, MatrixView<float> y)
    {
        for (nint row = 0; row < x.Rows; row++) TensorPrimitives.FusedMultiplyAdd<float>(y.Row(row), factor, x.Row(row), x.Row(row));
    }

    private static void AddScaled(Matrix<float> x, float factor, Matrix<float> y) => AddScaled(x.View, factor, y.View);
}
