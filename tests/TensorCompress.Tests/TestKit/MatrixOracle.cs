using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>Plain double loops, written from the formulas.</summary>
internal static class MatrixOracle
{
    /// <summary>y[t, r] = sum over k of W[r, k] x[t, k].</summary>
    public static double[,] Product(MatrixView<float> weights, MatrixView<float> input)
    {
        var result = new double[input.Rows, weights.Rows];
        for (nint t = 0; t < input.Rows; t++)
        {
            for (nint r = 0; r < weights.Rows; r++)
            {
                double sum = 0;
                for (int k = 0; k < weights.Columns; k++) sum += (double)weights.Row(r)[k] * input.Row(t)[k];
                result[t, r] = sum;
            }
        }

        return result;
    }

    /// <summary>||A - B|| / ||A|| (Frobenius); 0 if both are zero.</summary>
    public static double RelativeError(MatrixView<float> exact, MatrixView<float> approximate)
    {
        double error = 0, square = 0;
        for (nint i = 0; i < exact.Rows; i++)
        {
            for (int j = 0; j < exact.Columns; j++)
            {
                double a = exact.Row(i)[j], b = approximate.Row(i)[j];
                error += (a - b) * (a - b);
                square += a * a;
            }
        }

        return square == 0 ? Math.Sqrt(error) : Math.Sqrt(error / square);
    }

    /// <summary>The largest difference over the largest magnitude of the exact values.</summary>
    public static double LargestError(double[,] exact, MatrixView<float> approximate)
    {
        double error = 0, largest = 0;
        for (int i = 0; i < exact.GetLength(0); i++)
        {
            for (int j = 0; j < exact.GetLength(1); j++)
            {
                double difference = Math.Abs(exact[i, j] - approximate.Row(i)[j]);
                error = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(error, difference);
                largest = Math.Max(largest, Math.Abs(exact[i, j]));
            }
        }

        return largest == 0 ? error : error / largest;
    }

    /// <summary>x of A x = b, by elimination with row pivots; A and b are used up.</summary>
    public static double[] Solve(double[][] matrix, double[] right)
    {
        int n = right.Length;
        for (int k = 0; k < n; k++)
        {
            int pivot = Enumerable.Range(k, n - k).MaxBy(i => Math.Abs(matrix[i][k]));
            (matrix[k], matrix[pivot], right[k], right[pivot]) = (matrix[pivot], matrix[k], right[pivot], right[k]);
            for (int i = k + 1; i < n; i++)
            {
                double factor = matrix[i][k] / matrix[k][k];
                for (int j = k; j < n; j++) matrix[i][j] -= factor * matrix[k][j];
                right[i] -= factor * right[k];
            }
        }

        for (int i = n - 1; i >= 0; i--)
        {
            for (int j = i + 1; j < n; j++) right[i] -= matrix[i][j] * right[j];
            right[i] /= matrix[i][i];
        }

        return right;
    }
}
