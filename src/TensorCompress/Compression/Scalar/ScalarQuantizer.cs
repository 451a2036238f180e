using System.Buffers.Binary;
using System.Numerics.Tensors;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Scalar;

/// <summary>Round-to-nearest quantisation in groups along the rows.</summary>
/// <remarks>
/// Asymmetric: the group's range, widened to include 0, is cut into N = 2^b - 1 steps: scale = (max - min) / N, zero = round(-min / scale), code = round(w / scale) + zero,
/// and the largest weight takes code N. Symmetric: scale = max |w| / L with L = 2^(b-1) - 1, code = round(w / scale) + 2^(b-1). The scale is rounded to its stored type
/// first (an F32 scale to 16 significant bits, so that scale x level is exact in single precision); halves round to even. So quantising what was decoded
/// gives the same codes and scales (where the scale is a normal number of its type), and a factor of a power of two changes the scales only. -0 comes back as 0.
/// </remarks>
internal sealed class ScalarQuantizer
{
    /// <summary>Significant bits of an F32 scale: with 8 bits of a level they fit into a float.</summary>
    private const int F32ScaleBits = 16;

    private readonly ScalarOptions _options;
    private readonly MatrixView<float> _weights;
    private readonly QuantizedRows _result;

    private ScalarQuantizer(MatrixView<float> weights, QuantizedRows result)
    {
        _options = result.Options;
        _weights = weights;
        _result = result;
    }

    /// <summary>Quantises a matrix.</summary>
    /// <param name="weights">Finite, [output, input].</param>
    /// <param name="options">Bits, group, symmetry and type of scales; a group longer than a row becomes the row.</param>
    /// <param name="pool">Threads; rows are independent.</param>
    /// <exception cref="ArgumentException">A scale or a decoded weight is beyond its type's range.</exception>
    public static QuantizedRows Quantize(MatrixView<float> weights, ScalarOptions options, ComputePool pool)
    {
        int columns = checked((int)weights.Columns);
        if (options.Group > columns) options = new ScalarOptions(options.Bits, columns, options.Symmetric, options.Scales);
        int groups = QuantizedRows.GroupCount(columns, options.Group);
        var result = new QuantizedRows(
            options,
            columns,
            new Matrix<byte>(weights.Rows, PackedCodes.RowBytes(columns, options.Bits)),
            new Matrix<byte>(weights.Rows, checked(groups * (nint)options.Scales.BitWidth() / 8)),
            options.Symmetric ? null : new Matrix<byte>(weights.Rows, PackedCodes.RowBytes(groups, options.Bits)));
        var quantizer = new ScalarQuantizer(weights, result);
        pool.For(weights.Rows, 16, (start, end) =>
        {
            for (nint row = start; row < end; row++) quantizer.QuantizeRow((int)row);
        });
        return result;
    }

    private void QuantizeRow(int row)
    {
        ReadOnlySpan<float> weights = _weights.Row(row);
        for (int group = 0, start = 0; start < weights.Length; group++)
        {
            int count = Math.Min(_options.Group, weights.Length - start);
            if (_options.Symmetric) QuantizeSymmetric(row, group, start, weights.Slice(start, count));
            else QuantizeRange(row, group, start, weights.Slice(start, count));
            start += count;
        }
    }

    private void QuantizeSymmetric(int row, int group, int start, ReadOnlySpan<float> weights)
    {
        int offset = 1 << (_options.Bits - 1), top = offset - 1;
        float scale = RoundScale((double)Math.Abs(TensorPrimitives.MaxMagnitude(weights)) / top, row, group);
        WriteScale(row, group, scale);
        Span<byte> codes = _result.Codes.Row(row);
        for (int i = 0; i < weights.Length; i++) PackedCodes.Write(codes, start + i, _options.Bits, Math.Clamp(Level(weights[i], scale), -top, top) + offset);
    }

    private void QuantizeRange(int row, int group, int start, ReadOnlySpan<float> weights)
    {
        int top = (1 << _options.Bits) - 1;
        float minimum = Math.Min(0, TensorPrimitives.Min(weights)), maximum = Math.Max(0, TensorPrimitives.Max(weights));
        float scale = RoundScale(((double)maximum - minimum) / top, row, group);
        int zero = Math.Min(Level(-minimum, scale), top);
        WriteScale(row, group, scale);
        PackedCodes.Write(_result.Zeros!.Row(row), group, _options.Bits, zero);

        // Where rounding of both ends leaves the top code free, the largest weight takes it all the same: the decoded range is then N scales again.
        float raised = Level(maximum, scale) + zero == top - 1 ? maximum : float.PositiveInfinity;
        Span<byte> codes = _result.Codes.Row(row);
        for (int i = 0; i < weights.Length; i++)
        {
            int code = weights[i] >= raised ? top : Math.Clamp(Level(weights[i], scale) + zero, 0, top);
            PackedCodes.Write(codes, start + i, _options.Bits, code);
        }
    }

    private static int Level(float weight, float scale) => scale == 0 ? 0 : (int)Math.Round(weight / (double)scale, MidpointRounding.ToEven);

    /// <summary>Rounds to nearest in the stored type; below its normal range up, so that no weight lies beyond the top level.</summary>
    private float RoundScale(double scale, int row, int group)
    {
        (double smallestNormal, double smallest) = _options.Scales == ElementType.F16 ? (Math.ScaleB(1, -14), Math.ScaleB(1, -24)) : (Math.ScaleB(1, -126), Math.ScaleB(1, -149));
        if (scale < smallestNormal) return (float)(Math.Ceiling(scale / smallest) * smallest);
        float rounded = _options.Scales == ElementType.F16 ? (float)(Half)scale : (float)RoundToBits(scale, F32ScaleBits);
        if (float.IsFinite(QuantizedRows.LargestWeight(rounded, _options.Bits))) return rounded;
        string advice = _options.Scales == ElementType.F16 ? "; use 32-bit scales (--scales f32)" : "";
        throw new ArgumentException($"Row {row}, group {group} needs a scale of {scale:G4}, beyond the range of {_options.Scales.Name()}{advice}.");
    }

    private static double RoundToBits(double value, int bits)
    {
        int drop = 53 - bits;
        long pattern = BitConverter.DoubleToInt64Bits(value);
        pattern += (1L << (drop - 1)) - 1 + ((pattern >> drop) & 1); // ties to even
        return BitConverter.Int64BitsToDouble(pattern >> drop << drop);
    }

    private void WriteScale(int row, int group, float scale)
    {
        if (_options.Scales == ElementType.F16) BinaryPrimitives.WriteHalfLittleEndian(_result.Scales.Row(row)[(2 * group)..], (Half)scale);
        else BinaryPrimitives.WriteSingleLittleEndian(_result.Scales.Row(row)[(4 * group)..], scale);
    }
}
