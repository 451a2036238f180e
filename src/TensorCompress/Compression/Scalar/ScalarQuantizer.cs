using System.Numerics.Tensors;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Scalar;

/// <summary>Round-to-nearest quantisation in groups along the rows.</summary>
/// <remarks>
/// Asymmetric: the group's range, widened to include 0, is cut into N = 2^b - 1 steps: scale = (max - min) / N, zero = round(-min / scale), code = round(w / scale) + zero,
/// and the largest weight takes code N. Symmetric: scale = max |w| / L with L = 2^(b-1) - 1, code = round(w / scale) + 2^(b-1). The scale is rounded to its stored type
/// first (an F32 scale to 16 significant bits, so that scale x level is exact in single precision); halves round to even. So quantising what was decoded
/// gives the same codes and scales, and a factor of a power of two changes the scales only. -0 comes back as 0.
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
        QuantizedRows result = QuantizedRows.Create(options, (int)weights.Rows, columns);
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
        float largest = Math.Abs(TensorPrimitives.MaxMagnitude(weights));
        float scale = FitScale(largest, top, candidate => Math.Min(Level(largest, candidate), top), row, group);
        _result.WriteScale(row, group, scale);
        Span<byte> codes = _result.Codes.Row(row);
        for (int i = 0; i < weights.Length; i++) BitStream.Write(codes, (long)(start + i) * _options.Bits, Math.Clamp(Level(weights[i], scale), -top, top) + offset);
    }

    private void QuantizeRange(int row, int group, int start, ReadOnlySpan<float> weights)
    {
        int top = (1 << _options.Bits) - 1;
        float minimum = Math.Min(0, TensorPrimitives.Min(weights)), maximum = Math.Max(0, TensorPrimitives.Max(weights));
        float scale = FitScale((double)maximum - minimum, top, candidate => TopCode(minimum, maximum, candidate, top), row, group);
        int zero = ZeroCode(minimum, scale, top);
        _result.WriteScale(row, group, scale);
        BitStream.Write(_result.Zeros!.Row(row), (long)group * _options.Bits, zero);
        Span<byte> codes = _result.Codes.Row(row);
        for (int i = 0; i < weights.Length; i++)
        {
            int code = weights[i] == maximum ? TopCode(minimum, maximum, scale, top) : Math.Clamp(Level(weights[i], scale) + zero, 0, top);
            BitStream.Write(codes, (long)(start + i) * _options.Bits, code);
        }
    }

    private static int ZeroCode(float minimum, float scale, int top) => Math.Min(Level(-minimum, scale), top);

    /// <summary>The code of the largest weight. Where rounding of both ends would leave the top code free it takes the top code: the decoded range is then N scales again.</summary>
    private static int TopCode(float minimum, float maximum, float scale, int top)
    {
        int code = Math.Min(Level(maximum, scale) + ZeroCode(minimum, scale, top), top);
        return code == top - 1 && maximum > 0 ? top : code;
    }

    /// <summary>The rounded scale of a range, such that the range of the decoded weights has the same: below the type's normal range this can take more than one step.</summary>
    /// <param name="range">What the steps are to cover.</param>
    /// <param name="steps">How many they are.</param>
    /// <param name="usedSteps">How many steps the decoded weights cover with a scale.</param>
    /// <param name="row">For messages.</param>
    /// <param name="group">For messages.</param>
    private float FitScale(double range, int steps, Func<float, int> usedSteps, int row, int group)
    {
        float scale = RoundScale(range / steps, row, group);
        while (true)
        {
            float again = RoundScale((double)scale * usedSteps(scale) / steps, row, group); // never larger, so this ends
            if (again == scale) return scale;
            scale = again;
        }
    }

    private static int Level(float weight, float scale) => scale == 0 ? 0 : (int)Math.Round(weight / (double)scale, MidpointRounding.ToEven);

    /// <summary>Rounds to nearest in the stored type; below its normal range up, so that no weight lies beyond the top level.</summary>
    private float RoundScale(double scale, int row, int group)
    {
        float rounded = RoundScale(scale, _options);
        if (float.IsFinite(QuantizedRows.LargestWeight(rounded, _options.Bits))) return rounded;
        string advice = _options.Scales == ElementType.F16 ? "; use 32-bit scales (--scales f32)" : "";
        throw new ArgumentException($"Row {row}, group {group} needs a scale of {scale:G4}, beyond the range of {_options.Scales.Name()}{advice}.");
    }

    /// <summary>As above; a scale beyond the type's range becomes infinite.</summary>
    internal static float RoundScale(double scale, ScalarOptions options)
    {
        (double smallestNormal, double smallest) = options.Scales == ElementType.F16 ? (Math.ScaleB(1, -14), Math.ScaleB(1, -24)) : (Math.ScaleB(1, -126), Math.ScaleB(1, -149));
        if (scale < smallestNormal) return (float)(Math.Ceiling(scale / smallest) * smallest);
        return options.Scales == ElementType.F16 ? (float)(Half)scale : (float)RoundToBits(scale, F32ScaleBits);
    }

    private static double RoundToBits(double value, int bits)
    {
        int drop = 53 - bits;
        long pattern = BitConverter.DoubleToInt64Bits(value);
        pattern += (1L << (drop - 1)) - 1 + ((pattern >> drop) & 1); // ties to even
        return BitConverter.Int64BitsToDouble(pattern >> drop << drop);
    }
}
