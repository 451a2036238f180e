using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary>
/// One factor in the alternating solver, by middle channel: the mixture M = V + U of solution and dual, [k, q], and its projection Z = diag(u) N with N = sign(M) diag(v), rows of length 1. The dual
/// that follows is M - Z, so M alone is the state: projecting it again gives the same bits.
/// </summary>
internal sealed class SignFactor : IDisposable
{
    /// <summary>Rows whose column sums are added up by themselves: the order of additions does not depend on threads.</summary>
    private const int PartRows = 32;

    /// <summary>Most that the penalty of a channel differs from the mean, as a factor either way.</summary>
    private const double MostChannelWeight = 10;

    private readonly Matrix<float> _partialSums;
    private readonly int _parts;

    public SignFactor(int channels, int width, ComputePool pool)
    {
        Mixture = new Matrix<float>(channels, width);
        Unit = new Matrix<float>(channels, width);
        Magnitudes = new float[channels];
        Direction = new float[width];
        _parts = (channels - 1) / PartRows + 1;
        _partialSums = new Matrix<float>(_parts, width);
        Pool = pool;
    }

    /// <summary>M, [k, q].</summary>
    public Matrix<float> Mixture { get; }

    /// <summary>N, [k, q].</summary>
    public Matrix<float> Unit { get; }

    /// <summary>u, k values.</summary>
    public float[] Magnitudes { get; }

    /// <summary>v, q values, of length 1.</summary>
    public float[] Direction { get; }

    /// <summary>Threads.</summary>
    public ComputePool Pool { private get; set; }

    /// <summary>Rows of independent normal numbers, scaled to length 1; M and u are 0.</summary>
    public void StartFrom(SeededRandom random)
    {
        for (nint i = 0; i < Unit.Rows; i++)
        {
            Pool.ThrowIfCancelled();
            Span<float> row = Unit.Row(i);
            for (int j = 0; j < row.Length; j++) row[j] = (float)random.NextGaussian();
            TensorPrimitives.Divide(row, (float)Math.Sqrt(DoubleVectors.SquaredNorm(row)), row);
        }
    }

    /// <summary>Penalties of the channels: all the same, or in proportion to the root of the magnitudes, with the same mean.</summary>
    public void WritePenalties(double penalty, bool weighsChannels, Span<float> destination)
    {
        double mean = 0;
        for (int i = 0; i < Magnitudes.Length; i++) mean += Math.Sqrt(Magnitudes[i]) / Magnitudes.Length;
        for (int i = 0; i < Magnitudes.Length; i++)
            destination[i] = (float)(weighsChannels && mean > 0 ? penalty * Math.Clamp(Math.Sqrt(Magnitudes[i]) / mean, 1 / MostChannelWeight, MostChannelWeight) : penalty);
    }

    /// <summary>C + diag(p) (Z - U).</summary>
    /// <param name="penalties">p, for each channel.</param>
    /// <param name="crossProduct">C, [k, q].</param>
    /// <param name="destination">[k, q], overwritten.</param>
    public void WriteRightSides(float[] penalties, MatrixView<float> crossProduct, MatrixView<float> destination) => ForRows((start, end) =>
    {
        for (nint i = start; i < end; i++)
        {
            // Z - U = 2 Z - M
            Span<float> row = destination.Row(i);
            TensorPrimitives.FusedMultiplyAdd<float>(Unit.Row(i), 2 * penalties[i] * Magnitudes[i], crossProduct.Row(i), row);
            TensorPrimitives.FusedMultiplyAdd<float>(Mixture.Row(i), -penalties[i], row, row);
        }
    });

    /// <summary>Z - U.</summary>
    /// <param name="destination">[k, q], overwritten.</param>
    public void WritePulls(MatrixView<float> destination) => ForRows((start, end) =>
    {
        for (nint i = start; i < end; i++)
        {
            Span<float> row = destination.Row(i);
            TensorPrimitives.Multiply(Unit.Row(i), 2 * Magnitudes[i], row);
            TensorPrimitives.Subtract<float>(row, Mixture.Row(i), row);
        }
    });

    /// <summary>M = r V + (1 - r) Z + U.</summary>
    /// <param name="solution">V, [k, q].</param>
    /// <param name="relaxation">r.</param>
    public void Absorb(MatrixView<float> solution, float relaxation) => ForRows((start, end) =>
    {
        for (nint i = start; i < end; i++)
        {
            Span<float> row = Mixture.Row(i);
            TensorPrimitives.FusedMultiplyAdd<float>(solution.Row(i), relaxation, row, row);
            TensorPrimitives.FusedMultiplyAdd<float>(Unit.Row(i), -relaxation * Magnitudes[i], row, row);
        }
    });

    /// <summary>N and u of M: the signs, and the leading singular triple of |M| by power iteration.</summary>
    public void Project(int powerRounds, SeededRandom? random)
    {
        if (random is null) Array.Fill(Direction, 1);
        else for (int j = 0; j < Direction.Length; j++) Direction[j] = (float)Math.Abs(random.NextGaussian());
        double norm = 1;
        double[] left = new double[Magnitudes.Length];
        for (int round = 0; round < powerRounds; round++) norm = Iterate(left);
        for (int i = 0; i < left.Length; i++) Magnitudes[i] = (float)(left[i] * norm);
        ApplySigns();
    }

    /// <summary>Writes M, u and v.</summary>
    public void Save(BinaryWriter writer)
    {
        for (nint i = 0; i < Mixture.Rows; i++) writer.Write(MemoryMarshal.AsBytes(Mixture.Row(i)));
        writer.Write(MemoryMarshal.AsBytes<float>(Magnitudes));
        writer.Write(MemoryMarshal.AsBytes<float>(Direction));
    }

    /// <summary>Reads M, u and v; N follows from them.</summary>
    public void Restore(BinaryReader reader)
    {
        for (nint i = 0; i < Mixture.Rows; i++) reader.ReadExactly(MemoryMarshal.AsBytes(Mixture.Row(i)));
        reader.ReadExactly(MemoryMarshal.AsBytes(Magnitudes.AsSpan()));
        reader.ReadExactly(MemoryMarshal.AsBytes(Direction.AsSpan()));
        ApplySigns();
    }

    public void Dispose()
    {
        Mixture.Dispose();
        Unit.Dispose();
        _partialSums.Dispose();
    }

    /// <summary>u = |M| v / norm, v = |M|^T u / norm.</summary>
    /// <returns>The norm of v before it was scaled: the singular value.</returns>
    private double Iterate(double[] left)
    {
        Pool.For(_parts, 1, (start, end) =>
        {
            float[] magnitudes = new float[Direction.Length];
            for (nint part = start; part < end; part++)
            {
                Span<float> sums = _partialSums.Row(part);
                sums.Clear();
                nint last = nint.Min((part + 1) * PartRows, Mixture.Rows);
                for (nint i = part * PartRows; i < last; i++)
                {
                    TensorPrimitives.Abs<float>(Mixture.Row(i), magnitudes);
                    left[i] = DoubleVectors.Dot(magnitudes, Direction);
                    TensorPrimitives.FusedMultiplyAdd<float>(magnitudes, (float)left[i], sums, sums);
                }
            }
        });
        Span<float> total = _partialSums.Row(0);
        for (int part = 1; part < _parts; part++) TensorPrimitives.Add<float>(total, _partialSums.Row(part), total);
        double leftNorm = Math.Sqrt(DoubleVectors.Dot(left, left)), rightNorm = Math.Sqrt(DoubleVectors.SquaredNorm(total));
        if (leftNorm == 0 || rightNorm == 0)
        {
            // All of M is 0, and so is Z; any direction will do.
            Array.Fill(Direction, (float)(1 / Math.Sqrt(Direction.Length)));
            return 0;
        }

        for (int i = 0; i < left.Length; i++) left[i] /= leftNorm;
        TensorPrimitives.Multiply(total, (float)(1 / rightNorm), Direction);
        return rightNorm / leftNorm;
    }

    /// <summary>N = sign(M) diag(v).</summary>
    private void ApplySigns() => ForRows((start, end) =>
    {
        for (nint i = start; i < end; i++) TensorPrimitives.CopySign<float>(Direction, Mixture.Row(i), Unit.Row(i));
    });

    private void ForRows(Action<nint, nint> body) => Pool.For(Mixture.Rows, PartRows, body);
}
