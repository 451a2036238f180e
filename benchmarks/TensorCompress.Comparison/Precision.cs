using System.Numerics;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>What is compared, in one precision, through the public surface.</summary>
internal interface IPrecision<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>For tables.</summary>
    static abstract string Name { get; }

    /// <summary>Half a unit in the last place of 1.</summary>
    static abstract double Rounding { get; }

    static abstract void Multiply(MatrixOperand<T> a, MatrixOperand<T> b, MatrixView<T> c, ComputePool pool);

    static abstract void SymmetricRankK(MatrixOperand<T> a, MatrixView<T> c, ComputePool pool);

    static abstract void SolveLower(MatrixOperand<T> lower, MatrixView<T> rightSides, ComputePool pool);
}

internal readonly struct SinglePrecision : IPrecision<float>
{
    public static string Name => "fp32";

    public static double Rounding => 6e-8;

    public static void Multiply(MatrixOperand<float> a, MatrixOperand<float> b, MatrixView<float> c, ComputePool pool) => MatrixProduct.Multiply(a, b, c, pool: pool);

    public static void SymmetricRankK(MatrixOperand<float> a, MatrixView<float> c, ComputePool pool) => MatrixProduct.SymmetricRankK(a, c, pool: pool);

    public static void SolveLower(MatrixOperand<float> lower, MatrixView<float> rightSides, ComputePool pool) => TriangularSolve.Left(lower, Triangle.Lower, rightSides, pool);
}

internal readonly struct DoublePrecision : IPrecision<double>
{
    public static string Name => "fp64";

    public static double Rounding => 1.2e-16;

    public static void Multiply(MatrixOperand<double> a, MatrixOperand<double> b, MatrixView<double> c, ComputePool pool) => MatrixProduct.Multiply(a, b, c, pool: pool);

    public static void SymmetricRankK(MatrixOperand<double> a, MatrixView<double> c, ComputePool pool) => MatrixProduct.SymmetricRankK(a, c, pool: pool);

    public static void SolveLower(MatrixOperand<double> lower, MatrixView<double> rightSides, ComputePool pool) => TriangularSolve.Left(lower, Triangle.Lower, rightSides, pool);
}
