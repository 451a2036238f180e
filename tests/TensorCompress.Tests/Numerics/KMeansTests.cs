using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Numerics;

public sealed class KMeansTests
{
    [Theory]
    [InlineData(false, 1)]
    [InlineData(false, 7)]
    [InlineData(true, 20)]
    public void Each_iteration_is_that_of_a_plain_loop(bool isSpread, int clusters)
    {
        KMeansStart start = isSpread ? KMeansStart.PlusPlus : KMeansStart.RandomPoints;
        using Matrix<float> points = RandomMatrices.Gaussian(301, 5, 3);
        float[] weights = [.. Enumerable.Range(0, 301).Select(i => i % 9 == 0 ? 0f : 0.5f + (i % 4))];
        for (int iterations = 0; iterations < 5; iterations++)
        {
            using Matrix<float> before = Fit(points, weights, new KMeansOptions(clusters, start, iterations));
            using Matrix<float> after = Fit(points, weights, new KMeansOptions(clusters, start, iterations + 1));
            double[,] expected = MeansOfNearest(points, weights, before);
            for (int j = 0; j < clusters; j++)
            {
                for (int k = 0; k < 5; k++) Assert.Equal(expected[j, k], after[j, k], 1e-6);
            }
        }
    }

    [Fact]
    public void The_nearest_centroids_have_the_bits_of_one_matrix_product()
    {
        foreach ((int count, int dimension, int clusters) in new[] { (70, 1, 1), (70, 3, 5), (90, 8, 16), (33, 17, 37), (20, 40, 64), (18, 256, 64), (40, 260, 9), (40, 300, 70) })
        {
            using Matrix<float> points = RandomMatrices.Gaussian(count, dimension, 3), centroids = RandomMatrices.Gaussian(clusters, dimension, 4);
            if (clusters > 4) centroids.Row(1).CopyTo(centroids.Row(4)); // of equal ones the first
            centroids.Row(clusters / 2).CopyTo(points.Row(5));
            using var products = new Matrix<double>(count, clusters);
            MatrixProduct.Multiply(points.View, centroids.View.Transposed, products.View);
            int[] nearest = new int[count];
            double[] distances = new double[count];
            using var search = new NearestCentroid(clusters, ComputePool.Shared);
            search.Find(points.View, centroids.View, nearest, distances);
            for (int i = 0; i < count; i++)
            {
                double[] expected = [.. Enumerable.Range(0, clusters).Select(j => DoubleVectors.SquaredNorm(centroids.Row(j)) - 2 * products[i, j])];
                Assert.Equal(Array.IndexOf(expected, expected.Min()), nearest[i]);
                Assert.Equal(Math.Max(0, expected.Min() + DoubleVectors.SquaredNorm(points.Row(i))), distances[i]); // to the bit
            }
        }
    }

    [Fact]
    public void The_error_never_rises_and_ends_below_the_start()
    {
        using Matrix<float> points = RandomMatrices.Gaussian(500, 4, 8);
        double[] errors = [.. Enumerable.Range(0, 12).Select(iterations =>
        {
            using Matrix<float> centroids = Fit(points, null, new KMeansOptions(16, KMeansStart.RandomPoints, iterations));
            return Error(points, centroids);
        })];
        for (int i = 1; i < errors.Length; i++) Assert.True(errors[i] <= errors[i - 1] * (1 + 1e-6), $"{errors[i - 1]} rises to {errors[i]}");
        Assert.True(errors[^1] < 0.8 * errors[0]);
    }

    [Fact]
    public void Random_starts_are_different_points_that_have_weight()
    {
        using Matrix<float> points = RandomMatrices.Make(50, 1, (i, _) => i);
        float[] weights = [.. Enumerable.Range(0, 50).Select(i => i % 5 == 0 ? 0f : 1f)];
        using Matrix<float> centroids = Fit(points, weights, new KMeansOptions(40, KMeansStart.RandomPoints, 0));
        int[] chosen = [.. Enumerable.Range(0, 40).Select(j => (int)centroids[j, 0]).Order()];
        Assert.Equal(Enumerable.Range(0, 50).Where(i => i % 5 != 0), chosen);
    }

    [Fact]
    public void Spread_starts_find_every_island()
    {
        // Twenty islands far from each other and, for distances, far from 0: random points miss some, distances in float would see none.
        using Matrix<float> points = RandomMatrices.Make(400, 2, (i, k) => 100_000 + (k == 0 ? i % 20 : 0) + 1e-2 * (i / 20 % 3));
        using Matrix<float> centroids = Fit(points, null, new KMeansOptions(20));
        Assert.Equal(Enumerable.Range(0, 20), Enumerable.Range(0, 20).Select(j => (int)Math.Round(centroids[j, 0] - 100_000)).Order());
    }

    [Fact]
    public void Empty_clusters_are_given_points()
    {
        // Of 64 points 61 are one: starts coincide, and without repair clusters stay empty while three points share what is left.
        using Matrix<float> points = RandomMatrices.Make(64, 1, (i, _) => i < 61 ? 0 : i);
        using Matrix<float> centroids = Fit(points, null, new KMeansOptions(4, KMeansStart.RandomPoints));
        Assert.Equal([0f, 61, 62, 63], Enumerable.Range(0, 4).Select(j => centroids[j, 0]).Order());
        using Matrix<float> tooMany = Fit(points, null, new KMeansOptions(10, KMeansStart.PlusPlus));
        Assert.Equal(0, Error(points, tooMany));
    }

    [Fact]
    public void Repeated_points_are_given_to_empty_clusters_together()
    {
        // 150 different points, each many times: random starts coincide, and one point of those that are the same would leave the others where they are for another iteration.
        using Matrix<float> different = RandomMatrices.Gaussian(150, 8, 4), points = RandomMatrices.Make(3000, 8, (i, k) => different[i * 7919 % 150, k]);
        using Matrix<float> centroids = Fit(points, null, new KMeansOptions(150, KMeansStart.RandomPoints, 4));
        Assert.InRange(Error(points, centroids), 0, 1e-6);
    }

    [Fact]
    public void Bits_do_not_depend_on_threads()
    {
        using Matrix<float> points = RandomMatrices.Gaussian(3000, 24, 4);
        using var one = new ComputePool(1);
        using var three = new ComputePool(3);
        foreach (KMeansStart start in Enum.GetValues<KMeansStart>())
        {
            using Matrix<float> alone = KMeans.Fit(points.View, null, new KMeansOptions(300, start, 3), new SeededRandom(6), one);
            using Matrix<float> together = KMeans.Fit(points.View, null, new KMeansOptions(300, start, 3), new SeededRandom(6), three);
            FloatBits.AssertEqual(alone.RowSpan(0, 300), together.RowSpan(0, 300), start.ToString());
        }
    }

    [Fact]
    public void Of_equally_near_centroids_the_first_is_taken()
    {
        using var points = new Matrix<float>(3, 1, [0, 1, 2]);
        using var centroids = new Matrix<float>(4, 1, [2, 0, 2, 0]);
        using var search = new NearestCentroid(4, ComputePool.Shared);
        int[] nearest = new int[3];
        double[] distances = new double[3];
        search.Find(points.View, centroids.View, nearest, distances);
        Assert.Equal([1, 0, 0], nearest);
        Assert.Equal([0, 1, 0], distances);
    }

    [Fact]
    public void Wrong_arguments_are_refused()
    {
        using Matrix<float> points = RandomMatrices.Gaussian(4, 2);
        Assert.Contains("4 points", Assert.Throws<ArgumentException>(() => Fit(points, null, new KMeansOptions(5))).Message, StringComparison.Ordinal);
        Assert.Contains("1 points", Assert.Throws<ArgumentException>(() => Fit(points, [0, 1, 0, 0], new KMeansOptions(2))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Fit(points, null, new KMeansOptions(0)));
        Assert.Throws<ArgumentException>(() => Fit(points, [1, 1], new KMeansOptions(1)));
        Assert.Contains("Weight 2", Assert.Throws<ArgumentException>(() => Fit(points, [1, 1, float.NaN, 1], new KMeansOptions(1))).Message, StringComparison.Ordinal);
        Assert.Throws<OperationCanceledException>(() =>
            KMeans.Fit(points.View, null, new KMeansOptions(1), new SeededRandom(1), cancellationToken: new CancellationToken(canceled: true)));
    }

    private static Matrix<float> Fit(Matrix<float> points, float[]? weights, KMeansOptions options) => KMeans.Fit(points.View, weights, options, new SeededRandom(11));

    private static double[,] MeansOfNearest(Matrix<float> points, float[] weights, Matrix<float> centroids)
    {
        int clusters = (int)centroids.Rows, dimension = (int)points.Columns;
        double[,] sums = new double[clusters, dimension];
        double[] totals = new double[clusters];
        for (int i = 0; i < points.Rows; i++)
        {
            int nearest = Enumerable.Range(0, clusters).MinBy(j => Distance(points, i, centroids, j));
            totals[nearest] += weights[i];
            for (int k = 0; k < dimension; k++) sums[nearest, k] += weights[i] * points[i, k];
        }

        for (int j = 0; j < clusters; j++)
        {
            for (int k = 0; k < dimension; k++) sums[j, k] /= totals[j];
        }

        return sums;
    }

    private static double Error(Matrix<float> points, Matrix<float> centroids) =>
        Enumerable.Range(0, (int)points.Rows).Sum(i => Enumerable.Range(0, (int)centroids.Rows).Min(j => Distance(points, i, centroids, j)));

    private static double Distance(Matrix<float> points, int i, Matrix<float> centroids, int j) =>
        Enumerable.Range(0, (int)points.Columns).Sum(k => Math.Pow((double)points[i, k] - centroids[j, k], 2));
}
