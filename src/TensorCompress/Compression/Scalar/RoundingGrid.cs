using TensorCompress.Kernels;

namespace TensorCompress.Compression.Scalar;

/// <summary>The levels of one group: <c>scale x n</c> for whole n from <c>Least</c> to <c>Least + steps</c>.</summary>
/// <param name="Scale">As it is stored; 0 for a group of zeros.</param>
/// <param name="Least">The smallest n; minus the zero's code where codes begin at 0.</param>
internal readonly record struct RoundingGrid(float Scale, int Least)
{
    /// <summary>Ranges tried at each end: the whole range, and down to this share of it.</summary>
    private const double SmallestShare = 0.3;

    private const int Shares = 15;

    /// <summary>The nearest n.</summary>
    /// <param name="value">A weight.</param>
    /// <param name="steps">Levels less one.</param>
    public int Level(float value, int steps) => Scale == 0 ? 0 : (int)Math.Clamp(MathF.Round(value * (1f / Scale)), Least, Least + steps);

    /// <summary>The grid with the least weighted squared error among those that cover a share of the range at either end.</summary>
    /// <param name="weights">The group.</param>
    /// <param name="importance">Weight of each squared error.</param>
    /// <param name="options">Bits, symmetry, type of scales.</param>
    /// <exception cref="ArgumentException">A scale is beyond its type's range.</exception>
    public static RoundingGrid Search(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, ScalarOptions options)
    {
        float minimum = 0, maximum = 0;
        foreach (float weight in weights)
        {
            minimum = Math.Min(minimum, weight);
            maximum = Math.Max(maximum, weight);
        }

        if (minimum == maximum) return new RoundingGrid(0, options.LeastLevel);
        RoundingGrid best = default;
        float least = float.PositiveInfinity;
        for (int low = 0; low < Shares; low++)
        {
            for (int high = 0; high < (options.Symmetric ? 1 : Shares); high++)
            {
                RoundingGrid grid = Cover(minimum * Share(low), options.Symmetric ? maximum * Share(low) : maximum * Share(high), options);
                if (grid.Scale == 0) continue;
                float error = GridError.Compute(weights, importance, grid.Scale, grid.Least, grid.Least + options.Steps);
                if (error >= least) continue;
                least = error;
                best = grid;
            }
        }

        return best.Scale == 0 ? new RoundingGrid(ScalarQuantizer.RoundScale((maximum - minimum) / options.Steps, options), options.LeastLevel) : best;

        static double Share(int index) => 1 - (1 - SmallestShare) * index / (Shares - 1);
    }

    private static RoundingGrid Cover(double minimum, double maximum, ScalarOptions options)
    {
        if (options.Symmetric) return new RoundingGrid(ScalarQuantizer.RoundScale(Math.Max(-minimum, maximum) / (options.Steps / 2), options), options.LeastLevel);
        float scale = ScalarQuantizer.RoundScale((maximum - minimum) / options.Steps, options);
        int zero = scale == 0 ? 0 : (int)Math.Clamp(Math.Round(-minimum / scale, MidpointRounding.ToEven), 0, options.Steps);
        return new RoundingGrid(scale, -zero);
    }
}
