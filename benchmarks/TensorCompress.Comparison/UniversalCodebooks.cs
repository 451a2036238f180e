using System.Security.Cryptography;
using TensorCompress.Kernels;
using TensorCompress.Numerics;

namespace TensorCompress.Comparison;

/// <summary>
/// Makes the universal codebooks that the library ships: centroids of magnitudes of eight independent normal numbers, plain or with the two of every pair in ascending order, in steps of 1/64. Every
/// iteration of Lloyd sees new numbers, and the means of several iterations are averaged, so nothing is fitted to a sample.
/// </summary>
internal static class UniversalCodebooks
{
    private const int Dimension = 8, PointsPerCentroid = 256, SmallRounds = 60, LargeRounds = 4;

    /// <summary>Writes the files into the current folder.</summary>
    public static void Run(Options options)
    {
        Train("Signs16", 16, isOrdered: false, options.Rounds ?? SmallRounds);
        Train("Signs256", 256, isOrdered: false, options.Rounds ?? SmallRounds);
        Train("Signs4096", 4096, isOrdered: false, options.Rounds ?? LargeRounds);
        Train("OrderedSigns4096", 4096, isOrdered: true, options.Rounds ?? LargeRounds);
    }

    private static void Train(string name, int count, bool isOrdered, int iterations)
    {
        var random = new SeededRandom(8);
        float[] centroids = new float[count * Dimension], point = new float[Dimension];
        for (int i = 0; i < count; i++)
        {
            Draw(random, point, isOrdered);
            point.CopyTo(centroids, i * Dimension);
        }

        int points = Math.Max(count * PointsPerCentroid, 1 << 16);
        for (int iteration = 0; iteration < iterations; iteration++)
        {
            double[] sums = new double[count * Dimension];
            int[] counts = new int[count];
            float[] packed = NearestCodeword.Pack(centroids, Dimension);
            for (int i = 0; i < points; i++)
            {
                Draw(random, point, isOrdered);
                int nearest = NearestCodeword.Find(point, packed);
                counts[nearest]++;
                for (int k = 0; k < Dimension; k++) sums[nearest * Dimension + k] += point[k];
            }

            double step = Math.Min(1, 12.0 / (iteration + 1)); // averaging in the later iterations
            for (int i = 0; i < centroids.Length; i++)
            {
                int members = counts[i / Dimension];
                if (members > 0) centroids[i] += (float)(step * (sums[i] / members - centroids[i]));
            }
        }

        byte[] bytes = [.. centroids.Select(number => (byte)Math.Clamp(Math.Round(number * 64), 0, 255))];
        float[] rounded = NearestCodeword.Pack([.. bytes.Select(number => number / 64f)], Dimension);
        double error = 0;
        const int Trials = 200_000;
        for (int i = 0; i < Trials; i++)
        {
            Draw(random, point, isOrdered);
            int nearest = NearestCodeword.Find(point, rounded);
            for (int k = 0; k < Dimension; k++) error += Math.Pow(point[k] - bytes[nearest * Dimension + k] / 64.0, 2);
        }

        File.WriteAllBytes(name + ".bin", bytes);
        Console.WriteLine($"{name}: squared error {error / Trials / Dimension:F5} of a normal number, SHA-256 {Convert.ToHexStringLower(SHA256.HashData(bytes))}");
    }

    private static void Draw(SeededRandom random, float[] point, bool isOrdered)
    {
        for (int k = 0; k < Dimension; k++) point[k] = (float)Math.Abs(random.NextGaussian());
        for (int k = 0; isOrdered && k < Dimension; k += 2)
        {
            if (point[k] > point[k + 1]) (point[k], point[k + 1]) = (point[k + 1], point[k]);
        }
    }
}
