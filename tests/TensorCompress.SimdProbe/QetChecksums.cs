using System.Security.Cryptography;
using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.SimdProbe;

/// <summary>What Quantum Entanglement Trees store of fixed matrices on two threads: hashes of all bytes. Which centroid is nearest may hang on the last bit of a distance, so there is no nearly.</summary>
internal static class QetChecksums
{
    public static IEnumerable<(string Name, string Hash)> All()
    {
        yield return ("planned", Planned());
        yield return ("swaps", Of(QetPlan.WithCentroids(150, 40, [19, 6], QetOptions.PaperDefault(5)), null));
        yield return ("rotated-stages", OfStages());
        yield return ("universal", Universal());
    }

    // As many bytes as a learnt rotation and codebooks behind it need: all that planning tries has its turn.
    private static string Planned()
    {
        using Matrix<float> values = Mixed(61, 230, 12);
        using var pool = new ComputePool(2);
        QetPlan plan = QetCodec.Plan(values.View, 230 * 12 * 3 / 8, pool: pool);
        return Hash(QetCodec.Compress(values.View, plan, pool).Write);
    }

    private static string OfStages()
    {
        using Matrix<float> inputs = Mixed(62, 90, 24);
        using LayerStatistics statistics = LayerStatistics.FromActivations(inputs.View);
        var options = new QetOptions(8, [new QetStageOptions(0, 0.5), new QetStageOptions(0, 0.5)], 7, gridPerGroup: true) { BeamWidth = 4, Rotation = QetRotation.Learnt };
        return Of(QetPlan.WithCentroids(150, 24, [13, 9], options), statistics.WithOutputImportance(Enumerable.Range(1, 150).Select(row => (double)row)));
    }

    private static string Of(QetPlan plan, LayerStatistics? statistics)
    {
        using Matrix<float> values = Mixed(63, (int)plan.Rows, (int)plan.Columns);
        using var pool = new ComputePool(2);
        using QetMetrics? metrics = statistics is null ? null : new QetMetrics(statistics, pool);
        return Hash(QetCodec.CompressInMetric(values.View, plan, metrics, pool, CancellationToken.None).Write);
    }

    private static string Universal()
    {
        using Matrix<float> values = Mixed(64, 37, 72), inputs = Mixed(65, 120, 72);
        using LayerStatistics statistics = LayerStatistics.FromActivations(inputs.View);
        using var pool = new ComputePool(2);
        using CompressedWeight weight = QetMethod.Instance.Compress(values.View, new QetMethodOptions(2.8, QetForm.Universal), new CompressionContext { Statistics = statistics, Pool = pool });
        return Hash(stream =>
        {
            foreach (WeightPart part in weight.Parts) part.Write(stream);
        });
    }

    /// <summary>A few directions are large, and no column knows of them.</summary>
    private static Matrix<float> Mixed(ulong seed, int rows, int columns)
    {
        var random = new SeededRandom(seed);
        float[,] directions = new float[5, columns];
        foreach (ref float number in System.Runtime.InteropServices.MemoryMarshal.CreateSpan(ref directions[0, 0], directions.Length)) number = (float)random.NextGaussian();
        var matrix = new Matrix<float>(rows, columns);
        for (int row = 0; row < rows; row++)
        {
            Span<float> values = matrix.Row(row);
            foreach (ref float value in values) value = 0.1f * (float)random.NextGaussian();
            for (int direction = 0; direction < 5; direction++)
            {
                float length = (float)random.NextGaussian();
                for (int k = 0; k < columns; k++) values[k] += length * directions[direction, k];
            }
        }

        return matrix;
    }

    private static string Hash(Action<Stream> write)
    {
        using var stream = new MemoryStream();
        write(stream);
        return Convert.ToHexStringLower(SHA256.HashData(stream.ToArray()))[..16];
    }
}
