using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Numerics.Eigen;

/// <summary>
/// The eigenvalues of <c>diag(d) + weight z z^T</c>: roots of <c>f(x) = 1 + weight sum z_j^2 / (d_j - x)</c>, one right of every d_j. Each is found as its distance from
/// the nearest d, so that the differences d_j - x, of which the eigenvectors consist, are exact to rounding (R.-C. Li, LAPACK Working Note 89, 1994).
/// </summary>
internal sealed class SecularEquation(double[] poles, double[] squares)
{
    private const int Lanes = 4;
    private const int MaxSteps = 100;
    private const double Epsilon = 1.0 / (1L << 53);

    private readonly double _sumOfSquares = Sum(squares);

    /// <summary>Finds one root.</summary>
    /// <param name="index">The root right of pole <paramref name="index"/>.</param>
    /// <param name="differences">Overwritten with d_j - x.</param>
    /// <returns>The root x.</returns>
    /// <remarks>Poles ascend strictly; the squares are weight z_j^2, all positive.</remarks>
    public double Solve(int index, Span<double> differences)
    {
        bool isLast = index == poles.Length - 1;
        double gap = isLast ? _sumOfSquares : poles[index + 1] - poles[index];
        // The sign in the middle tells which pole is nearer.
        int origin = !isLast && Evaluate(index, poles[index], gap / 2).Value < 0 ? index + 1 : index;
        double low = origin == index ? 0 : -gap / 2, high = isLast ? gap * (1 + 8 * Epsilon) : origin == index ? gap / 2 : 0;
        double offset = Refine(index, isLast, poles[origin], low, high);
        for (int j = 0; j < differences.Length; j++) differences[j] = poles[j] - poles[origin] - offset;
        return poles[origin] + offset;
    }

    /// <summary>Iterates inside a bracket: rational interpolation with the poles on both sides ("the middle way"), bisection where that leaves the bracket.</summary>
    private double Refine(int index, bool isLast, double origin, double low, double high)
    {
        double offset = low + (high - low) / 2;
        for (int step = 0; step < MaxSteps; step++)
        {
            Terms terms = Evaluate(index, origin, offset);
            double value = terms.Value;
            if (Math.Abs(value) <= 8 * Epsilon * (1 - terms.Left + terms.Right)) break;
            if (value < 0) low = offset;
            else high = offset;
            double next = offset + (isLast ? LastStep(index, origin, offset, terms) : MiddleStep(index, origin, offset, terms));
            if (!(next > low && next < high)) next = low + (high - low) / 2;
            if (next == offset || next == low || next == high) break; // no number lies between
            offset = next;
        }

        return offset;
    }

    private double MiddleStep(int index, double origin, double offset, in Terms terms)
    {
        double left = poles[index] - origin - offset, right = poles[index + 1] - origin - offset, value = terms.Value;
        double c = value - left * terms.LeftSlope - right * terms.RightSlope;
        double a = (left + right) * value - left * right * (terms.LeftSlope + terms.RightSlope), b = left * right * value;
        double root = Math.Sqrt(Math.Max(0, a * a - 4 * b * c));
        return a <= 0 ? (a - root) / (2 * c) : 2 * b / (a + root);
    }

    private double LastStep(int index, double origin, double offset, in Terms terms)
    {
        double difference = poles[index] - origin - offset, constant = terms.Value - difference * terms.LeftSlope;
        return difference + difference * difference * terms.LeftSlope / constant;
    }

    /// <summary>f at origin + offset, in the part of poles up to <paramref name="index"/> (negative) and the part of poles after it (positive).</summary>
    private Terms Evaluate(int index, double origin, double offset)
    {
        (double left, double leftSlope) = Part(0, index + 1, origin, offset);
        (double right, double rightSlope) = Part(index + 1, poles.Length, origin, offset);
        return new Terms(left, leftSlope, right, rightSlope);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (double Sum, double Slope) Part(int start, int end, double origin, double offset)
    {
        ref double ds = ref MemoryMarshal.GetArrayDataReference(poles);
        ref double zs = ref MemoryMarshal.GetArrayDataReference(squares);
        Vector256<double> origins = Vector256.Create(origin), offsets = Vector256.Create(offset), sums = Vector256<double>.Zero, slopes = Vector256<double>.Zero;
        int j = start;
        for (; j <= end - Lanes; j += Lanes)
        {
            Vector256<double> difference = Vector256.LoadUnsafe(ref ds, (nuint)j) - origins - offsets, inverse = Vector256<double>.One / difference;
            Vector256<double> term = Vector256.LoadUnsafe(ref zs, (nuint)j) * inverse;
            sums += term;
            slopes = Vector256.FusedMultiplyAdd(term, inverse, slopes);
        }

        double sum = Lanewise(sums), slope = Lanewise(slopes);
        for (; j < end; j++)
        {
            double inverse = 1 / (poles[j] - origin - offset), term = squares[j] * inverse;
            sum += term;
            slope = Math.FusedMultiplyAdd(term, inverse, slope);
        }

        return (sum, slope);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Lanewise(Vector256<double> value)
    {
        Vector128<double> two = value.GetLower() + value.GetUpper();
        return two[0] + two[1];
    }

    private static double Sum(double[] values)
    {
        double sum = 0;
        foreach (double value in values) sum += value;
        return sum;
    }

    private readonly record struct Terms(double Left, double LeftSlope, double Right, double RightSlope)
    {
        public double Value => 1 + Left + Right;
    }
}
