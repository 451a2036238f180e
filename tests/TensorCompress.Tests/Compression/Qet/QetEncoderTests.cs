using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Qet;

public sealed class QetEncoderTests
{
    /// <summary>Column groups that know nothing of each other's inputs, so nothing is fed back and stages are what k-means leaves: every code the nearest, every centroid a mean, in the metric.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void With_calibration_clusters_are_those_of_weighted_columns_and_rows(bool areRowsWeighted)
    {
        const int Rows = 240, Groups = 2, Length = 4, Columns = Groups * Length;
        int[] centroids = [7, 5];
        using Matrix<float> values = RandomMatrices.Gaussian(Rows, Columns, 3), mixing = RandomMatrices.Gaussian(Columns, Length, 4);
        Matrix<double> moment = RandomMatrices.MakeDouble(Columns, Columns, (i, j) =>
            i / Length != j / Length ? 0 : Math.Pow(2, i % 3 + j % 3) * ((i == j ? 0.3 : 0) + Enumerable.Range(0, Length).Sum(k => (double)mixing[i, k] * mixing[j, k])));
        double[] rowWeights = [.. Enumerable.Range(0, Rows).Select(row => areRowsWeighted && row % 5 == 0 ? 50.0 : 1)], columnWeights = CostsOfErrors(moment);
        using var plain = new LayerStatistics(moment, 1);
        LayerStatistics statistics = areRowsWeighted ? plain.WithOutputImportance(rowWeights) : plain;
        var options = new QetOptions(Groups, [new QetStageOptions(0, 0.5), new QetStageOptions(0, 0.5)], QetOptions.FloatBits, iterations: 200);
        using var metrics = new QetMetrics(statistics, ComputePool.Shared);
        QetTensor tensor = QetCodec.CompressInMetric(values.View, QetPlan.WithCentroids(Rows, Columns, centroids, options), metrics, ComputePool.Shared, CancellationToken.None);
        for (int stage = 0; stage < 2; stage++)
        {
            QetEncodedStage encoded = tensor.Stages[stage];
            for (int group = 0; group < Groups; group++)
            {
                int first = group * Length;
                float[][] codebook = [.. Enumerable.Range(0, centroids[stage]).Select(index => Centroid(encoded, group, index, Length))];
                double[][] sums = [.. codebook.Select(_ => new double[Length])];
                double[] totals = new double[codebook.Length];
                for (int row = 0; row < Rows; row++)
                {
                    int code = encoded.Code(row, Groups, group);
                    double DistanceTo(float[] centroid) => Enumerable.Range(0, Length).Sum(k => columnWeights[first + k] * Math.Pow((double)values[row, first + k] - centroid[k], 2));
                    Assert.True(DistanceTo(codebook[code]) <= (1 + 1e-5) * codebook.Min(DistanceTo), $"stage {stage}, row {row}, group {group}");
                    totals[code] += rowWeights[row];
                    for (int k = 0; k < Length; k++)
                    {
                        sums[code][k] += rowWeights[row] * values[row, first + k];
                        values[row, first + k] -= codebook[code][k];
                    }
                }

                for (int code = 0; code < codebook.Length; code++)
                {
                    for (int k = 0; k < Length; k++) Assert.Equal(sums[code][k] / totals[code], codebook[code][k], 1e-4);
                }
            }
        }
    }

    /// <summary>1 / ((H + r I)^-1)_jj with r a hundredth of the mean diagonal.</summary>
    private static double[] CostsOfErrors(Matrix<double> moment)
    {
        int columns = (int)moment.Columns;
        double ridge = 0.01 * Enumerable.Range(0, columns).Average(j => moment[j, j]);
        return [.. Enumerable.Range(0, columns).Select(column =>
        {
            double[][] matrix = [.. Enumerable.Range(0, columns).Select(i => (double[])[.. Enumerable.Range(0, columns).Select(j => moment[i, j] + (i == j ? ridge : 0))])];
            return 1 / MatrixOracle.Solve(matrix, [.. Enumerable.Range(0, columns).Select(j => j == column ? 1.0 : 0)])[column];
        })];
    }

    private static float[] Centroid(QetEncodedStage stage, int group, int index, int length)
    {
        float[] centroid = new float[length];
        stage.Codebook.Centroid(group, index, centroid);
        return centroid;
    }
}
