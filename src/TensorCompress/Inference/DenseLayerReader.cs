using System.Runtime.InteropServices;
using TensorCompress.Compression.Dense;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Inference;

/// <summary>Reads dense layers whose rows lie together straight into the memory from which they are multiplied, many rows at a time and by all threads.</summary>
internal static class DenseLayerReader
{
    /// <summary>Elements that a thread reads at a time: large enough for the disk, small enough to be looked at again in the second-level cache.</summary>
    private const int PieceElements = 1 << 17;

    /// <summary>Whether a layer is read here.</summary>
    public static bool Reads(ModelCheckpoint checkpoint, LinearDefinition linear)
    {
        bool isSingle = WeightLoader.DenseType(checkpoint, linear) == ElementType.F32;
        return linear.Parts.All(part => DenseTensors.HasRows(checkpoint, part) && (isSingle || !part.IsStoredTransposed));
    }

    /// <summary>Reads layers.</summary>
    /// <exception cref="TensorFormatException">A value is not finite, or a file has become shorter.</exception>
    public static LinearLayer[] Read(ModelCheckpoint checkpoint, IReadOnlyList<LinearDefinition> linears, ComputePool pool, CancellationToken cancellationToken)
    {
        var layers = new LinearLayer[linears.Count];
        var pieces = new List<Piece>();
        try
        {
            for (int i = 0; i < layers.Length; i++) layers[i] = Allocate(checkpoint, linears[i], pieces);
            pool.For(pieces.Count, 1, (start, end) =>
            {
                for (nint i = start; i < end; i++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    pieces[(int)i].Read(checkpoint);
                }
            });
        }
        catch
        {
            foreach (LinearLayer? layer in layers) layer?.Dispose();
            throw;
        }

        return layers;
    }

    private static LinearLayer Allocate(ModelCheckpoint checkpoint, LinearDefinition linear, List<Piece> pieces)
    {
        int rows = linear.OutputDimension, columns = linear.InputDimension, rowsAtATime = Math.Max(1, PieceElements / columns);
        ElementType type = WeightLoader.DenseType(checkpoint, linear);
        Matrix<float>? singles = type == ElementType.F32 ? Matrix<float>.Uninitialized(rows, columns) : null;
        Matrix<byte>? halves = singles is null ? Matrix<byte>.Uninitialized(rows, checked((nint)columns * sizeof(ushort))) : null;
        foreach ((LinearDefinition part, int firstRow) in linear.PartRows)
        {
            for (int row = 0; row < part.OutputDimension; row += rowsAtATime) pieces.Add(new Piece(part, row, Math.Min(rowsAtATime, part.OutputDimension - row), firstRow + row, type, singles, halves));
        }

        return singles is not null ? new DenseLayer(singles) : new HalfDenseLayer(type, halves!, columns);
    }

    /// <summary>Consecutive rows of a layer, and where they go.</summary>
    private sealed record Piece(LinearDefinition Linear, int FirstRow, int Rows, int Destination, ElementType Type, Matrix<float>? Singles, Matrix<byte>? Halves)
    {
        public void Read(ModelCheckpoint checkpoint)
        {
            if (Singles is not null)
            {
                Span<float> values = Singles.RowSpan(Destination, Rows);
                DenseTensors.ReadRows(checkpoint, Linear, FirstRow, values);
                if (!Finiteness.IsWhole(values)) ThrowIfNotFinite(checkpoint, values);
                return;
            }

            Span<byte> bytes = Halves!.RowSpan(Destination, Rows);
            checkpoint.Tensors.ReadBytes(Linear.WeightName, (long)FirstRow * Halves.Columns, bytes);
            if (HasFullExponent(MemoryMarshal.Cast<byte, ushort>(bytes), Type == ElementType.BF16 ? (ushort)0x7F80 : (ushort)0x7C00))
            {
                var values = new float[bytes.Length / sizeof(ushort)];
                ElementConversion.ToSingle(Type, bytes, values);
                ThrowIfNotFinite(checkpoint, values);
            }
        }

        private void ThrowIfNotFinite(ModelCheckpoint checkpoint, ReadOnlySpan<float> values)
        {
            for (int i = 0; i < values.Length; i++)
            {
                if (!float.IsFinite(values[i]))
                    throw new TensorFormatException(TensorFormatError.Value, $"element {(long)FirstRow * Linear.InputDimension + i} is {values[i]}", checkpoint.Path, Linear.WeightName);
            }
        }

        // NaN and infinities are the values whose exponent is all ones.
        private static bool HasFullExponent(ReadOnlySpan<ushort> values, ushort exponent)
        {
            var mask = new System.Numerics.Vector<ushort>(exponent);
            int done = 0;
            for (; done <= values.Length - System.Numerics.Vector<ushort>.Count; done += System.Numerics.Vector<ushort>.Count)
            {
                if (System.Numerics.Vector.EqualsAny(new System.Numerics.Vector<ushort>(values[done..]) & mask, mask)) return true;
            }

            for (; done < values.Length; done++)
            {
                if ((values[done] & exponent) == exponent) return true;
            }

            return false;
        }
    }
}
