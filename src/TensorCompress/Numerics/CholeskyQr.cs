using System.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>
/// Orthonormal bases by CholeskyQR2 (Yamamoto, Nakatsukasa, Yanagisawa and Fukaya, ETNA 44, 2015): Q = L^-1 A with L from the Gram matrix, which is made in double, and
/// once more. All the work is products; Householder reflections take over where the condition is beyond what squares bear.
/// </summary>
internal static class CholeskyQr
{
    /// <summary>Least pivot of the Gram matrix with unit diagonal at which two passes still end at rounding.</summary>
    private static double LeastPivot<T>() => typeof(T) == typeof(float) ? 1e-4 : 1e-6;

    /// <summary>Makes rows orthonormal; their span stays, or is completed where they depend on each other.</summary>
    /// <param name="rows">[k, n] with k at most n, finite, of any scale whose squares are within double; overwritten.</param>
    /// <param name="passes">Two end at rounding; one leaves rows that are orthogonal enough to go on with (to 1e-3 in single precision).</param>
    /// <param name="pool">Threads.</param>
    /// <returns>Whether Cholesky was enough; false if Householder reflections did it.</returns>
    public static bool Orthonormalize<T>(MatrixView<T> rows, int passes, ComputePool pool)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (int pass = 0; pass < passes; pass++)
        {
            if (TryOrthonormalize(rows, pool)) continue;
            using HouseholderQr reflections = HouseholderQr.FactorizeRows(MatrixCopy.Widen(rows), pool);
            using Matrix<double> basis = reflections.ThinQTransposed(), triangle = reflections.R();
            for (int i = 0; i < rows.Rows; i++)
            {
                if (triangle[i, i] < 0) DoubleVectors.Scale(-1, basis.Row(i)); // so that a row that stood right stays, and is not turned over
            }

            MatrixCopy.CopyRounded(basis.View, rows);
            return false;
        }

        return true;
    }

    /// <summary>One Cholesky pass.</summary>
    /// <returns>False, with nothing done, where the rows are too near to dependent.</returns>
    public static bool TryOrthonormalize<T>(MatrixView<T> rows, ComputePool pool)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        using Matrix<double> gram = TypedProduct.Gram<T>(rows, pool);
        int count = (int)gram.Rows;
        double[] scales = new double[count];
        for (int i = 0; i < count; i++)
        {
            scales[i] = 1 / Math.Sqrt(gram[i, i]);
            if (!double.IsFinite(scales[i])) return false;
        }

        for (int i = 0; i < count; i++)
        {
            for (int j = 0; j < count; j++) gram[i, j] *= scales[i] * scales[j];
        }

        using Cholesky? factor = Cholesky.TryFactorize(gram.View, ridge: 0, ridgeSteps: 0, pool, out _);
        if (factor is null || Enumerable.Range(0, count).Any(i => factor.Lower[i, i] < LeastPivot<T>())) return false;
        // L of the Gram matrix as it was.
        for (int i = 0; i < count; i++) DoubleVectors.Scale(1 / scales[i], factor.Lower.Row(i));
        TypedProduct.SolveLower(factor.Lower, rows, pool);
        return true;
    }
}
