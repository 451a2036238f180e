using System.Buffers.Binary;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// The centroids of a stage, [group, centroid, column of the group], as they are stored and as they are used. Stored on a grid, a number is <c>least + q step</c> with q of some bits, or a float.
/// Codes are chosen with the rounded centroids.
/// </summary>
internal sealed class QetCodebook
{
    private readonly float[] _centroids;
    private readonly int _count;
    private readonly int _length;

    private QetCodebook(float[] centroids, int count, int length, byte[] stored, float[] scales)
    {
        (_centroids, _count, _length) = (centroids, count, length);
        (Stored, Scales) = (stored, scales);
    }

    /// <summary>The numbers as they are stored.</summary>
    public byte[] Stored { get; }

    /// <summary>Least value and step of each grid.</summary>
    public float[] Scales { get; }

    /// <summary>A centroid.</summary>
    public ReadOnlySpan<float> Centroid(int group, int index) => _centroids.AsSpan((group * _count + index) * _length, _length);

    /// <summary>The centroids of a group, [centroids, columns]; the caller owns them.</summary>
    public Matrix<float> Group(int group) => new(_count, _length, _centroids.AsSpan(group * _count * _length, _count * _length));

    /// <summary>Rounds centroids as the plan says.</summary>
    /// <param name="centroids">[group, centroid, column of the group], finite; overwritten with what is stored.</param>
    /// <param name="plan">Bits and grids.</param>
    /// <param name="stage">Which stage.</param>
    public static QetCodebook Round(float[] centroids, QetPlan plan, int stage)
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
            int length = centroids.Length / plan.Grids;
            (scales[2 * grid], scales[2 * grid + 1]) = RoundGrid(centroids.AsSpan(grid * length, length), bits, stored, (long)grid * length * bits);
        }

        return new QetCodebook(centroids, plan.Centroids[stage], plan.SubvectorLength, stored, scales);
    }

    private static (float Least, float Step) RoundGrid(Span<float> numbers, int bits, byte[] stored, long firstBit)
    {
        float least = float.PositiveInfinity, most = float.NegativeInfinity;
        foreach (float number in numbers) (least, most) = (Math.Min(least, number), Math.Max(most, number));
        int levels = (1 << bits) - 1;
        float step = (float)(((double)most - least) / levels);
        for (int i = 0; i < numbers.Length; i++, firstBit += bits)
        {
            int q = step == 0 ? 0 : (int)Math.Clamp(Math.Round(((double)numbers[i] - least) / step), 0, levels);
            BitStream.Write(stored, firstBit, q);
            numbers[i] = (float)(least + (double)q * step); // the product is exact in double, so there is one rounding with and without fused multiply-add
        }

        return (least, step);
    }
}
