using System.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>Matrix products for algorithms that are written once for float and double.</summary>
internal static class TypedProduct
{
    /// <inheritdoc cref="MatrixProduct.Multiply(MatrixOperand{float}, MatrixOperand{float}, MatrixView{float}, float, float, ComputePool?)"/>
    public static void Multiply<T>(MatrixOperand<T> a, MatrixOperand<T> b, MatrixView<T> c, double alpha, double beta, ComputePool pool)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (typeof(T) == typeof(float))
            MatrixProduct.Multiply((MatrixOperand<float>)(object)a, (MatrixOperand<float>)(object)b, (MatrixView<float>)(object)c, (float)alpha, (float)beta, pool);
        else
            MatrixProduct.Multiply((MatrixOperand<double>)(object)a, (MatrixOperand<double>)(object)b, (MatrixView<double>)(object)c, alpha, beta, pool);
    }

    /// <summary>A A^T, multiplied and added in double.</summary>
    public static Matrix<double> Gram<T>(MatrixOperand<T> a, ComputePool pool)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var gram = new Matrix<double>(a.Rows, a.Rows);
        if (typeof(T) == typeof(float)) MatrixProduct.SymmetricRankK((MatrixOperand<float>)(object)a, gram.View, pool: pool);
        else MatrixProduct.SymmetricRankK((MatrixOperand<double>)(object)a, gram.View, pool: pool);
        return gram;
    }

    /// <summary>B = L^-1 B with L, of double precision, rounded to the type of B.</summary>
    public static void SolveLower<T>(Matrix<double> lower, MatrixView<T> rightSides, ComputePool pool)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (typeof(T) == typeof(double))
        {
            TriangularSolve.Left(lower, Triangle.Lower, (MatrixView<double>)(object)rightSides, pool);
            return;
        }

        using var rounded = new Matrix<float>(lower.Rows, lower.Columns);
        MatrixCopy.CopyRounded(lower.View, rounded.View);
        TriangularSolve.Left(rounded, Triangle.Lower, (MatrixView<float>)(object)rightSides, pool);
    }
}
