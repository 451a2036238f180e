using System.Buffers.Binary;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// The centroids of a stage, [group, centroid, column of the group], as they are stored. On a grid a number is <c>least + q step</c> with q of some bits, otherwise it is a float.
/// Codes are chosen with the rounded centroids.
/// </summary>
/// <param name="plan">Bits and grids.</param>
/// <param name="stage">Which stage.</param>
/// <param name="stored">The numbers, a <see cref="BitStream"/>.</param>
/// <param name="scales">Least value and step of each grid.</param>
internal sealed class QetCodebook(QetPlan plan, int stage, byte[] stored, float[] scales)
{
    private readonly int _bits = plan.Options.CodebookBits;
    private readonly int _centroids = plan.Centroids[stage];
    private readonly int _length = plan.SubvectorLength;
    private readonly int _numbersPerGrid = plan.NumbersPerGrid(stage);

    /// <summary>The numbers as they are stored.</summary>
    public byte[] Stored { get; } = stored;

    /// <summary>Least value and step of each grid.</summary>
    public float[] Scales { get; } = scales;

    /// <summary>Shape and stages.</summary>
    public QetPlan Plan { get; } = plan;

    /// <summary>Which stage.</summary>
    public int Stage { get; } = stage;

    /// <summary>Numbers of all centroids.</summary>
    public int Count { get; } = plan.Numbers(stage);

    /// <summary>Rounds centroids as the plan says.</summary>
    /// <param name="centroids">[group, centroid, column of the group], finite.</param>
    /// <param name="plan">Bits and grids.</param>
    /// <param name="stage">Which stage.</param>
    public static QetCodebook Round(ReadOnlySpan<float> centroids, QetPlan plan, int stage)
    {
        int bits = plan.Options.CodebookBits;
        byte[] stored = new byte[BitStream.Padded((long)centroids.Length * bits) / 8];
        float[] scales = new float[2 * plan.Grids];
        if (plan.Grids == 0)
        {
            for (int i = 0; i < centroids.Length; i++) BinaryPrimitives.WriteSingleLittleEndian(stored.AsSpan(sizeof(float) * i), centroids[i]);
        }

        for (int grid = 0; grid < plan.Grids; grid++)
        {
            int length = plan.NumbersPerGrid(stage);
            (scales[2 * grid], scales[2 * grid + 1]) = RoundGrid(centroids.Slice(grid * length, length), bits, stored, (long)grid * length * bits);
        }

        return new QetCodebook(plan, stage, stored, scales);
    }

    /// <summary>Decodes a centroid.</summary>
    public void Centroid(int group, int index, Span<float> destination) => Decode((group * _centroids + index) * _length, destination);

    /// <summary>Decodes numbers from any one on.</summary>
    public void Decode(int first, Span<float> destination)
    {
        if (Scales.Length == 0)
        {
            for (int i = 0; i < destination.Length; i++) destination[i] = BinaryPrimitives.ReadSingleLittleEndian(Stored.AsSpan(sizeof(float) * (first + i)));
            return;
        }

        for (int i = 0; i < destination.Length; i++)
        {
            int number = first + i, grid = number / _numbersPerGrid;
            // The product is exact in double, so there is one rounding with and without fused multiply-add.
            destination[i] = (float)(Scales[2 * grid] + (double)BitStream.Read(Stored, (long)number * _bits, _bits) * Scales[2 * grid + 1]);
        }
    }

    private static (float Least, float Step) RoundGrid(ReadOnlySpan<float> numbers, int bits, byte[] stored, long firstBit)
    {
        float least = float.PositiveInfinity, most = float.NegativeInfinity;
        foreach (float number in numbers) (least, most) = (Math.Min(least, number), Math.Max(most, number));
        int levels = (1 << bits) - 1;
        float step = (float)(((double)most - least) / levels);
        foreach (float number in numbers)
        {
            int q = step == 0 ? 0 : (int)Math.Clamp(Math.Round(((double)number - least) / step), 0, levels);
            BitStream.Write(stored, firstBit, q);
            firstBit += bits;
        }

        return (least, step);
    }
}
