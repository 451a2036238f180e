using TensorCompress.Compression.Qet;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Qet;

public sealed class QetPlannerTests
{
    [Fact]
    public void A_plan_is_never_worse_than_product_or_residual_quantisation_with_the_same_bytes()
    {
        foreach ((int rows, int columns, double bits) in new[] { (96, 48, 3.0), (200, 32, 2.5), (300, 24, 4.0) })
        {
            using Matrix<float> values = RandomMatrices.Trained(rows, columns);
            long budget = (long)(bits * rows * columns / 8);
            double planned = QetPlanner.SquaredError(values.View, QetPlanner.Compress(values.View, budget, 1, ComputePool.Shared, CancellationToken.None), ComputePool.Shared);
            foreach (int groups in new[] { 1, 2, 4, 8, 12, 24 }.Where(groups => columns % groups == 0))
            {
                foreach (QetOptions options in new[] { new QetOptions(groups, [new QetStageOptions(0, 1)]), new QetOptions(groups, [new QetStageOptions(0, 0.7), new QetStageOptions(0, 0.3)]), QetOptions.PaperDefault(groups) })
                {
                    QetTensor rival;
                    try
                    {
                        rival = QetCodec.Compress(values.View, QetPlan.ForBudget(rows, columns, budget, options));
                    }
                    catch (ArgumentException)
                    {
                        continue; // so few bits do not pay for it
                    }

                    double error = QetPlanner.SquaredError(values.View, rival, ComputePool.Shared);
                    Assert.True(planned <= 1.02 * error, $"{rows} x {columns} at {bits}: {planned}, {groups} groups {error}");
                }
            }
        }
    }

    [Fact]
    public void Too_few_bits_name_the_least()
    {
        using Matrix<float> values = RandomMatrices.Gaussian(40, 24, 3);
        string refusal = Assert.Throws<ArgumentException>(() => QetPlanner.Compress(values.View, 5, 1, ComputePool.Shared, CancellationToken.None)).Message;
        double least = double.Parse(refusal.Split("the least is ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal((24 * 4 / 8 + 8) * 8 / 960.0, least, 1e-3);
        QetPlanner.Compress(values.View, 20, 1, ComputePool.Shared, CancellationToken.None);
    }
}
