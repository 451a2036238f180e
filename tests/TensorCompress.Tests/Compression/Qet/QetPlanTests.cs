using TensorCompress.Compression.Qet;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Qet;

public sealed class QetPlanTests
{
    [Fact]
    public void The_worked_example_of_the_published_rule()
    {
        QetPlan plan = QetPlan.ForBudget(4096, 128, 4096 * 128 * 3 / 8, QetOptions.PaperDefault(16));
        Assert.Equal([71, 8], plan.Centroids);
        Assert.Equal(new BitAccount(Codes: 458_752 + 196_608, Swaps: 786_432, Codebooks: 90_880 + 10_240, Scales: 128, Padding: 0), plan.Account);
        Assert.Equal(1_543_040, plan.Account.Total);
        Assert.Equal(2.943, plan.BitsPerElement, 0.0005);
    }

    [Fact]
    public void Too_small_a_budget_names_the_smallest()
    {
        // The published example of use: 10,000 x 128 values and 256 bytes, where the swaps alone take 240,000.
        Assert.Contains("at least 240", Refusal(10_000, 128, 256, QetOptions.PaperDefault(4)), StringComparison.Ordinal);
        var random = new SeededRandom(3);
        for (int i = 0; i < 50; i++)
        {
            QetOptions options = RandomOptions(random, out int columns);
            int rows = 1 + random.NextInt32(300);
            string refusal = Refusal(rows, columns, 0, options);
            long least = long.Parse(refusal.Split("at least ")[1].Split(' ')[0]);
            Assert.True(QetPlan.ForBudget(rows, columns, least, options).StoredBytes <= least);
            Assert.Contains($"at least {least} ", Refusal(rows, columns, least - 1, options), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Stored_bytes_are_those_of_the_formula_and_never_above_the_budget()
    {
        var random = new SeededRandom(7);
        for (int i = 0; i < 200; i++)
        {
            QetOptions options = RandomOptions(random, out int columns);
            int rows = 1 + random.NextInt32(60);
            long budget = (long)(rows * columns * (0.5 + 4 * random.NextDouble()) / 8) + 64;
            QetPlan plan;
            try
            {
                plan = QetPlan.ForBudget(rows, columns, budget, options);
                Assert.InRange(plan.StoredBytes, 1, budget);
            }
            catch (ArgumentOutOfRangeException)
            {
                plan = QetPlan.WithCentroids(rows, columns, [.. options.Stages.Select(_ => 1 + random.NextInt32(rows))], options);
            }

            using Matrix<float> values = RandomMatrices.Gaussian(rows, columns, (ulong)i);
            QetTensor tensor = QetCodec.Compress(values.View, plan);
            Assert.Equal(plan.StoredBytes, tensor.StoredBytes);
            Assert.Equal(8 * Formula(plan), plan.Account.Total);
            Assert.InRange(plan.Account.Padding, 0, 3 * 7 * options.Stages.Count);
        }
    }

    [Fact]
    public void Each_stage_has_the_most_centroids_that_its_share_pays()
    {
        QetOptions options = QetOptions.PaperDefault(4);
        QetPlan plan = QetPlan.ForBudget(512, 64, 12_000, options);
        double rest = 12_000 * 8 - 512 * 32 * 3;
        for (int stage = 0; stage < 2; stage++)
        {
            double Cost(int centroids) => 64 * centroids * 10 + 64 + 512 * 4 * Math.Ceiling(Math.Log2(centroids));
            Assert.True(Cost(plan.Centroids[stage]) <= rest * options.Stages[stage].Share);
            Assert.True(Cost(plan.Centroids[stage] + 1) > rest * options.Stages[stage].Share);
        }

        Assert.Equal([512, 512], QetPlan.ForBudget(512, 64, 1L << 40, options).Centroids); // as many as there are rows, not one less
    }

    [Fact]
    public void Shapes_and_options_that_do_not_fit_are_refused()
    {
        QetOptions options = QetOptions.PaperDefault(4);
        Assert.Contains("divide by 8", Assert.Throws<ArgumentException>(() => QetPlan.ForBudget(8, 20, 1000, options)).Message, StringComparison.Ordinal);
        Assert.Contains("4 groups", Assert.Throws<ArgumentException>(() => QetPlan.ForBudget(8, 30, 1000, options)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => QetPlan.WithCentroids(8, 32, [4], options));
        Assert.Throws<ArgumentOutOfRangeException>(() => QetPlan.WithCentroids(8, 32, [4, 0], options));
        Assert.Throws<ArgumentOutOfRangeException>(() => QetPlan.ForBudget(0, 32, 1000, options));
        Assert.Throws<NotSupportedException>(() => QetPlan.WithCentroids(1 << 30, 1 << 20, [4, 4], options));
        Assert.Throws<NotSupportedException>(() => QetPlan.WithCentroids(1 << 30, 32, [4, 4], options));
        Assert.Throws<ArgumentNullException>(() => QetPlan.ForBudget(8, 32, 1000, null!));
        var plain = new QetOptions(1, [new QetStageOptions(0, 1)]);
        Assert.Contains("1024", Assert.Throws<NotSupportedException>(() => QetPlan.ForBudget(4096, 1028, 1 << 30, plain with { Rotation = QetRotation.Learnt })).Message, StringComparison.Ordinal);
        Assert.Equal(1024 * 1024 * 16, QetPlan.ForBudget(4096, 1024, 1 << 30, plain with { Rotation = QetRotation.Learnt }).Account.Rotation);
        Assert.Throws<ArgumentOutOfRangeException>(() => QetOptions.PaperDefault(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => QetOptions.Vanilla(4, 17));
        Assert.Throws<ArgumentException>(() => new QetOptions(4, []));
        Assert.Throws<ArgumentException>(() => new QetOptions(4, [new QetStageOptions(0, 0.5)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new QetOptions(4, [new QetStageOptions(0, double.NaN)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new QetOptions(4, [new QetStageOptions(0, 1)], codebookBits: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new QetOptions(4, [new QetStageOptions(0, 1)], iterations: 0));
    }

    [Fact]
    public void What_is_too_large_for_an_array_is_refused()
    {
        QetOptions Groups(int groups, bool gridPerGroup = false) => new(groups, [new QetStageOptions(0, 1)], 2, gridPerGroup);
        void Refused(string what, nint rows, nint columns, QetOptions options)
        {
            Assert.Contains(what, Assert.Throws<NotSupportedException>(() => QetPlan.WithCentroids(rows, columns, [1], options)).Message, StringComparison.Ordinal);
            Assert.Contains(what, Assert.Throws<NotSupportedException>(() => QetPlan.ForBudget(rows, columns, 1L << 40, options)).Message, StringComparison.Ordinal);
        }

        Refused("scales of 2147483648 bytes", 1, 1 << 28, Groups(1 << 28, gridPerGroup: true));
        QetPlan.WithCentroids(1, 1 << 28, [1], Groups(1 << 28));
        Refused("65536 groups", 1 << 15, 1 << 16, Groups(1 << 16));
        QetPlan.WithCentroids(1 << 15, 1 << 16, [1], Groups(1 << 15));
        Assert.Throws<NotSupportedException>(() => QetPlan.WithCentroids(1, (nint)1 << 40, [1 << 22], Groups(1))); // 2^64 bytes of codebooks
        Assert.Null(QetPlan.OfOneCentroid(1 << 15, 1 << 16, Groups(1 << 16)).Within(long.MaxValue, 16)); // a planner passes it over
    }

    private static string Refusal(nint rows, nint columns, long bytes, QetOptions options) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => QetPlan.ForBudget(rows, columns, bytes, options)).Message;

    /// <summary>Bytes from the definitions: every part is a whole number of them.</summary>
    private static long Formula(QetPlan plan)
    {
        static long Bytes(double bits) => (long)Math.Ceiling(bits / 8);
        long bytes = 0;
        for (int stage = 0; stage < plan.Centroids.Count; stage++)
        {
            int codeBits = (int)Math.Ceiling(Math.Log2(plan.Centroids[stage]));
            bytes += Bytes(0.5 * plan.Rows * plan.Columns * plan.Options.Stages[stage].SwapLayers);
            bytes += Bytes((double)plan.Rows * plan.Options.Subspaces * codeBits);
            bytes += Bytes((double)plan.Centroids[stage] * plan.Columns * plan.Options.CodebookBits);
            if (plan.Options.CodebookBits < 32) bytes += 8 * (plan.Options.GridPerGroup ? plan.Options.Subspaces : 1);
        }

        return bytes;
    }

    private static QetOptions RandomOptions(SeededRandom random, out int columns)
    {
        int layers = random.NextInt32(4), subspaces = 1 + random.NextInt32(5), stages = 1 + random.NextInt32(3);
        columns = (1 << layers) * subspaces * (1 + random.NextInt32(4));
        int bits = random.NextInt32(3) == 0 ? QetOptions.FloatBits : 2 + random.NextInt32(12);
        QetStageOptions[] list = [.. Enumerable.Range(0, stages).Select(stage => new QetStageOptions(stage == 0 ? layers : random.NextInt32(layers + 1), 1.0 / stages))];
        return new QetOptions(subspaces, list, bits, random.NextInt32(2) == 0, iterations: 3);
    }
}
