using System.Numerics;
using TensorCompress.Kernels;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet.Universal;

/// <summary>
/// A rotation that makes values nearly normal and alike: fixed random signs, then the Hadamard transform of every block of a power of two columns, over the root of its width. It is its own inverse but for
/// the order of the two.
/// </summary>
internal static class BlockHadamard
{
    /// <summary>Wider blocks mix no better and cost more.</summary>
    public const int Widest = 256;

    /// <summary>Columns whose signs are kept: 2 KiB.</summary>
    private const int KeptSigns = 1 << 14;

    private static readonly ushort[] Negatives = [.. Enumerable.Range(0, KeptSigns / 16).Select(NegativesFrom)];

    /// <summary>The widest blocks that divide the columns.</summary>
    public static int WidthFor(int columns) => Math.Min(Widest, columns & -columns);

    /// <summary>Whether the sign of a column is negative: the top bit of the number after <c>column</c> in the sequence of SplitMix64 with seed 0.</summary>
    public static bool IsNegative(int column)
    {
        ulong z = ((ulong)column + 1) * 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return (z ^ (z >> 31)) >> 63 != 0;
    }

    /// <summary>Rotates a row of floats: to the same bits as the plain loops.</summary>
    /// <inheritdoc cref="Rotate{T}"/>
    public static void Rotate(Span<float> row, int width)
    {
        if (width < Hadamard.Narrowest) Rotate<float>(row, width);
        else Hadamard.Transform(row, width, NegativesOf(row.Length));
    }

    /// <summary>Undoes the rotation of a row of floats.</summary>
    /// <inheritdoc cref="Rotate{T}"/>
    public static void Undo(Span<float> row, int width)
    {
        if (width < Hadamard.Narrowest)
        {
            Undo<float>(row, width);
            return;
        }

        Hadamard.Transform(row, width, []);
        Hadamard.ChangeSigns(row, NegativesOf(row.Length));
    }

    /// <summary>Rotates a row.</summary>
    /// <param name="row">In place.</param>
    /// <param name="width">A power of two that divides its length; 1 for no rotation.</param>
    public static void Rotate<T>(Span<T> row, int width)
        where T : struct, IFloatingPointIeee754<T>
    {
        if (width == 1) return;
        ChangeSigns(row);
        Transform(row, width);
    }

    /// <summary>Undoes it.</summary>
    /// <inheritdoc cref="Rotate{T}"/>
    public static void Undo<T>(Span<T> row, int width)
        where T : struct, IFloatingPointIeee754<T>
    {
        if (width == 1) return;
        Transform(row, width);
        ChangeSigns(row);
    }

    /// <summary>Second moments of columns as those of rotated ones, in place.</summary>
    /// <param name="metric">Symmetric.</param>
    /// <param name="width">A power of two that divides its length; 1 for no rotation.</param>
    /// <param name="pool">Threads.</param>
    public static void RotateBothSides(Matrix<double> metric, int width, ComputePool pool)
    {
        double[] column = new double[metric.Rows];
        pool.For(metric.Rows, 16, (start, end) =>
        {
            for (nint row = start; row < end; row++) Rotate(metric.Row(row), width);
        });
        for (int j = 0; j < (int)metric.Columns; j++)
        {
            for (int i = 0; i < column.Length; i++) column[i] = metric[i, j];
            Rotate<double>(column, width);
            for (int i = 0; i < column.Length; i++) metric[i, j] = column[i];
        }
    }

    private static ReadOnlySpan<ushort> NegativesOf(int columns) => columns <= KeptSigns ? Negatives : Enumerable.Range(0, (columns + 15) / 16).Select(NegativesFrom).ToArray();

    private static ushort NegativesFrom(int sixteen)
    {
        int bits = 0;
        for (int lane = 0; lane < 16; lane++) bits |= IsNegative(16 * sixteen + lane) ? 1 << lane : 0;
        return (ushort)bits;
    }

    private static void ChangeSigns<T>(Span<T> row)
        where T : struct, IFloatingPointIeee754<T>
    {
        for (int i = 0; i < row.Length; i++)
        {
            if (IsNegative(i)) row[i] = -row[i];
        }
    }

    private static void Transform<T>(Span<T> row, int width)
        where T : struct, IFloatingPointIeee754<T>
    {
        for (int half = 1; half < width; half *= 2)
        {
            for (int start = 0; start < row.Length; start += 2 * half)
            {
                Span<T> low = row.Slice(start, half), high = row.Slice(start + half, half);
                for (int i = 0; i < low.Length; i++) (low[i], high[i]) = (low[i] + high[i], low[i] - high[i]);
            }
        }

        T factor = T.One / T.Sqrt(T.CreateChecked(width));
        for (int i = 0; i < row.Length; i++) row[i] *= factor;
    }
}
