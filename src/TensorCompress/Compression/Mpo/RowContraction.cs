using TensorCompress.Numerics;

namespace TensorCompress.Compression.Mpo;

/// <summary>The step by which one row of W grows out of the cores, without W.</summary>
internal static class RowContraction
{
    /// <summary>A row of a core's slice for one output digit, for one index of the contracted bond.</summary>
    public delegate ReadOnlySpan<float> SliceRow(int bond);

    /// <summary>next[I, (i, r)] = sum over l of state[I, l] slice[l, (i, r)].</summary>
    /// <param name="state">[I, l].</param>
    /// <param name="bond">The number of l.</param>
    /// <param name="width">The number of (i, r).</param>
    /// <param name="slice">Gives slice[l].</param>
    public static double[] Append(double[] state, int bond, int width, SliceRow slice)
    {
        int positions = state.Length / bond;
        var next = new double[checked(positions * width)];
        for (int left = 0; left < bond; left++)
        {
            ReadOnlySpan<float> row = slice(left);
            for (int position = 0; position < positions; position++)
                DoubleVectors.AddScaled(state[position * bond + left], row, next.AsSpan(position * width, width));
        }

        return next;
    }
}
