using TensorCompress.Kernels;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>Codes of two bits for normal numbers that come near Shannon's bound, to show how far others are from it: points of a lattice, and a trellis. Rows are rotated and scaled as for Lloyd-Max levels.</summary>
internal static class GoodCodes
{
    private const int Dimension = 8;

    /// <summary>The 56,881 points of the lattice E8 within a ball (squared norm up to 10), 16 bits for eight numbers: a ball like that of QuIP# (Tseng et al. 2024), without its signs and shifts.</summary>
    public static QuantizedMatrix E8Ball(MatrixView<float> x)
    {
        const double Scale = 1.03; // numbers over steps of the lattice: of 0.97 to 1.12 the one that errs least on normal numbers
        float[] points = [.. BallPoints(10).Select(coordinate => (float)(coordinate / Scale))], packed = NearestCodeword.Pack(points, Dimension);
        return RivalQuantizers.Rotated("E8 ball", x, 2, row =>
        {
            double[] decoded = new double[row.Length];
            for (int start = 0; start < row.Length; start += Dimension)
            {
                int nearest = NearestCodeword.Find([.. row.Skip(start).Take(Dimension).Select(value => (float)value)], packed);
                for (int k = 0; k < Dimension; k++) decoded[start + k] = points[nearest * Dimension + k];
            }

            return decoded;
        });
    }

    /// <summary>
    /// A trellis (Marcellin and Fischer 1990, with the bit-shift states of QTIP, Tseng et al. 2024): two new bits and ten old ones choose one of 4096 values, in no order, and the path of least error is found for a whole row.
    /// A row begins in a known state, so its first numbers have less to choose from.
    /// </summary>
    public static QuantizedMatrix Trellis(MatrixView<float> x)
    {
        const int StateBits = 12, States = 1 << StateBits, Paths = States / 4;
        float[] values = TrellisValues(States);
        return RivalQuantizers.Rotated("trellis of 4096 states", x, 2, row =>
        {
            float[] cost = new float[States], least = new float[Paths];
            Array.Fill(cost, float.PositiveInfinity);
            cost[0] = 0;
            byte[] from = new byte[row.Length * Paths];
            for (int i = 0; i < row.Length; i++)
            {
                for (int path = 0; path < Paths; path++)
                {
                    int best = 0;
                    for (int oldest = 1; oldest < 4; oldest++)
                    {
                        if (cost[oldest * Paths + path] < cost[best * Paths + path]) best = oldest;
                    }

                    least[path] = cost[best * Paths + path];
                    from[i * Paths + path] = (byte)best;
                }

                float value = (float)row[i];
                for (int state = 0; state < States; state++) cost[state] = least[state >> 2] + (value - values[state]) * (value - values[state]);
            }

            double[] decoded = new double[row.Length];
            int end = Array.IndexOf(cost, cost.Min());
            for (int i = row.Length - 1; i >= 0; i--)
            {
                decoded[i] = values[end];
                end = from[i * Paths + (end >> 2)] * Paths + (end >> 2);
            }

            return decoded;
        });
    }

    /// <summary>Quantiles of the normal distribution in a random order.</summary>
    private static float[] TrellisValues(int count)
    {
        const double Shrink = 0.965; // the deviation of the best reproductions of a normal number at two bits
        var random = new SeededRandom(12);
        double[] drawn = [.. Enumerable.Range(0, 64 * count).Select(_ => random.NextGaussian()).Order()];
        float[] values = [.. Enumerable.Range(0, count).Select(i => (float)(Shrink * drawn[64 * i + 32]))];
        for (int i = 0; i < count; i++)
        {
            int other = i + random.NextInt32(count - i);
            (values[i], values[other]) = (values[other], values[i]);
        }

        return values;
    }

    /// <summary>Points of E8 up to a squared norm, eight coordinates each: all whole or all half, with an even sum.</summary>
    private static List<double> BallPoints(int squaredNorm)
    {
        var points = new List<double>();
        int[] doubled = new int[Dimension];
        for (int parity = 0; parity < 2; parity++) Extend(0, 0, 0, parity);
        return points;

        void Extend(int position, int sum, int norm, int parity)
        {
            if (position == Dimension)
            {
                if (sum % 4 == 0) points.AddRange(doubled.Select(coordinate => coordinate / 2.0));
                return;
            }

            for (int coordinate = parity - 8; coordinate <= 8; coordinate += 2)
            {
                if (norm + coordinate * coordinate > 4 * squaredNorm) continue;
                doubled[position] = coordinate;
                Extend(position + 1, sum + coordinate, norm + coordinate * coordinate, parity);
            }
        }
    }
}
