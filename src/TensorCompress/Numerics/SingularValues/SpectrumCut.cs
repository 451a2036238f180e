namespace TensorCompress.Numerics.SingularValues;

/// <summary>Where a spectrum may be cut.</summary>
internal static class SpectrumCut
{
    /// <summary>Neighbouring values that agree to this are kept or dropped together.</summary>
    private const double ClusterGap = 1e-6;

    /// <summary>The relative error below which <c>||A||^2 - sum s^2</c> of a sketch in this precision is rounding.</summary>
    public static double SketchFloor<T>() => typeof(T) == typeof(float) ? 1e-3 : 1e-7;

    /// <summary>The least number of values that leave out at most a relative error, and no part of a cluster.</summary>
    /// <param name="values">Singular values, descending; all of them or the largest.</param>
    /// <param name="square">||A||^2, the sum of the squares of all.</param>
    /// <param name="tolerance">The relative error.</param>
    /// <returns>The number; all values given if these are not enough.</returns>
    public static int For(ReadOnlySpan<double> values, double square, double tolerance)
    {
        double allowed = tolerance * tolerance * square, left = square;
        int count = 0;
        while (count < values.Length && left > allowed)
        {
            left -= values[count] * values[count];
            count++;
        }

        while (count > 0 && count < values.Length && values[count - 1] - values[count] < ClusterGap * values[count - 1]) count++;
        return count;
    }
}
