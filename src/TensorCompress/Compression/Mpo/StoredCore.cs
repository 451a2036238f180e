using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>A core as a file holds it: floats of one type, or integer codes with a scale for every group of neighbours.</summary>
/// <remarks>
/// Elements are in the order [leftBond, output, input, rightBond]; a row is one (leftBond, output). Int8: one signed byte an element. Int4: two elements a byte, the first in the
/// low half, each code + 8. An element is code x scale of its group, rounded to a float.
/// </remarks>
internal sealed class StoredCore : IDisposable
{
    /// <summary>The two codes of a byte of <see cref="CoreFormat.Int4"/> as floats.</summary>
    private static readonly ulong[] CodePairs =
        [.. Enumerable.Range(0, 256).Select(value => MemoryMarshal.Cast<float, ulong>([(value & 15) - 8, (value >> 4) - 8])[0])];

    private readonly Matrix<byte> _values;
    private readonly Matrix<byte>? _scales;

    /// <summary>Takes stored bytes over.</summary>
    /// <param name="format">What they are.</param>
    /// <param name="rows">leftBond x output.</param>
    /// <param name="columns">input x rightBond.</param>
    /// <param name="values">Elements or codes, all in one row.</param>
    /// <param name="scales">Binary16 scales, one row; null for floats.</param>
    public StoredCore(CoreFormat format, nint rows, int columns, Matrix<byte> values, Matrix<byte>? scales)
    {
        Format = format;
        Rows = rows;
        Columns = columns;
        _values = values;
        _scales = scales;
    }

    public CoreFormat Format { get; }

    public nint Rows { get; }

    public int Columns { get; }

    /// <summary>Bytes of elements and scales.</summary>
    public long ByteLength => _values.ByteLength + (_scales?.ByteLength ?? 0);

    /// <summary>Elements or codes.</summary>
    public Matrix<byte> Values => _values;

    /// <summary>Scales, or null.</summary>
    public Matrix<byte>? Scales => _scales;

    /// <summary>Rounds a core to nearest.</summary>
    /// <exception cref="ArgumentException">An element, or a scale, is beyond the range of its type.</exception>
    public static StoredCore Round(Matrix<double> core, CoreFormat format)
    {
        var values = new Matrix<byte>(1, (nint)format.ValueBytes(core.Rows * core.Columns));
        Matrix<byte>? scales = format.IsInteger() ? new Matrix<byte>(1, 2 * (nint)format.ScaleCount(core.Rows * core.Columns)) : null;
        var result = new StoredCore(format, core.Rows, (int)core.Columns, values, scales);
        if (scales is null) result.RoundFloats(core);
        else result.Quantize(core.As(1, core.Rows * core.Columns).Row(0));
        return result;
    }

    /// <summary>A copy.</summary>
    public StoredCore Clone() => new(Format, Rows, Columns, Copy(_values), _scales is null ? null : Copy(_scales));

    /// <summary>The elements, exactly.</summary>
    public Matrix<double> Decode()
    {
        var core = new Matrix<double>(Rows, Columns);
        float[] row = new float[Columns];
        for (nint i = 0; i < Rows; i++)
        {
            DecodeRows(i, row);
            Span<double> destination = core.Row(i);
            for (int j = 0; j < row.Length; j++) destination[j] = row[j];
        }

        return core;
    }

    /// <summary>The elements (input, rightBond) of one or more rows (leftBond, output) that follow each other.</summary>
    /// <param name="row">The first.</param>
    /// <param name="destination"><see cref="Columns"/> floats for each.</param>
    public void DecodeRows(nint row, Span<float> destination)
    {
        ReadOnlySpan<byte> values = _values.Row(0);
        int start = checked((int)(row * Columns));
        if (_scales is null)
        {
            int size = Format.ElementType().BitWidth() / 8;
            ElementConversion.ToSingle(Format.ElementType(), values.Slice(start * size, destination.Length * size), destination);
            return;
        }

        for (int done = 0; done < destination.Length;)
        {
            int group = (start + done) / CoreFormats.Group, count = Math.Min(destination.Length - done, (group + 1) * CoreFormats.Group - start - done);
            Span<float> part = destination.Slice(done, count);
            ReadCodes(values, start + done, part);
            TensorPrimitives.Multiply(part, Scale(group), part);
            done += count;
        }
    }

    public void Dispose()
    {
        _values.Dispose();
        _scales?.Dispose();
    }

    private float Scale(int group) => (float)BinaryPrimitives.ReadHalfLittleEndian(_scales!.Row(0)[(2 * group)..]);

    private void ReadCodes(ReadOnlySpan<byte> values, int start, Span<float> codes)
    {
        if (Format == CoreFormat.Int8)
        {
            TensorPrimitives.ConvertTruncating<sbyte, float>(MemoryMarshal.Cast<byte, sbyte>(values.Slice(start, codes.Length)), codes);
            return;
        }

        int first = start & 1, pairs = (codes.Length - first) / 2; // two codes are one byte, and one look-up
        if (first == 1) codes[0] = (values[start >> 1] >> 4) - 8;
        Span<ulong> both = MemoryMarshal.Cast<float, ulong>(codes.Slice(first, 2 * pairs));
        ReadOnlySpan<byte> bytes = values.Slice((start + first) >> 1, pairs);
        for (int i = 0; i < bytes.Length; i++) both[i] = CodePairs[bytes[i]];
        if (first + 2 * pairs < codes.Length) codes[^1] = (values[(start + codes.Length - 1) >> 1] & 15) - 8;
    }

    private void RoundFloats(Matrix<double> core)
    {
        ElementType type = Format.ElementType();
        float limit = FloatRounding.Limit(type);
        int size = type.BitWidth() / 8;
        float[] row = new float[Columns];
        for (nint i = 0; i < Rows; i++)
        {
            ReadOnlySpan<double> source = core.Row(i);
            for (int j = 0; j < row.Length; j++)
            {
                row[j] = (float)source[j];
                if (Math.Abs(row[j]) >= limit) throw new ArgumentException($"The element {source[j]} of a core is beyond the range of {type.Name()}.");
            }

            ElementConversion.FromSingle(row, type, _values.Row(0).Slice(checked((int)(i * Columns * size)), Columns * size));
        }
    }

    private void Quantize(ReadOnlySpan<double> elements)
    {
        int top = Format.TopCode();
        for (int group = 0; group * CoreFormats.Group < elements.Length; group++)
        {
            int start = group * CoreFormats.Group;
            ReadOnlySpan<double> part = elements.Slice(start, Math.Min(CoreFormats.Group, elements.Length - start));
            Half scale = ChooseScale(part, top);
            BinaryPrimitives.WriteHalfLittleEndian(_scales!.Row(0)[(2 * group)..], scale);
            for (int i = 0; i < part.Length; i++) WriteCode(start + i, Code(part[i], (double)scale, top));
        }
    }

    /// <summary>The scale with the smallest squared error among the one that reaches the largest element and a few smaller ones.</summary>
    private static Half ChooseScale(ReadOnlySpan<double> part, int top)
    {
        double largest = 0;
        foreach (double value in part) largest = Math.Max(largest, Math.Abs(value));
        if (largest / top >= 65520) throw new ArgumentException($"The element {largest} of a core needs a scale beyond the range of F16; use cores of another type.");
        Half best = (Half)(largest / top);
        double bestError = Error(part, (double)best, top);
        for (int step = 1; step <= 8 && bestError > 0; step++)
        {
            var scale = (Half)(largest / top * (1 - 0.04 * step));
            double error = Error(part, (double)scale, top);
            if (error < bestError) (best, bestError) = (scale, error);
        }

        return best;
    }

    private static double Error(ReadOnlySpan<double> part, double scale, int top)
    {
        double error = 0;
        foreach (double value in part)
        {
            double difference = value - scale * Code(value, scale, top);
            error += difference * difference;
        }

        return error;
    }

    private static int Code(double value, double scale, int top) => scale == 0 ? 0 : (int)Math.Clamp(Math.Round(value / scale, MidpointRounding.ToEven), -top, top);

    private void WriteCode(int index, int code)
    {
        Span<byte> values = _values.Row(0);
        if (Format == CoreFormat.Int8) values[index] = (byte)code;
        else values[index >> 1] |= (byte)((code + 8) << (4 * (index & 1)));
    }

    private static Matrix<byte> Copy(Matrix<byte> source)
    {
        var copy = new Matrix<byte>(source.Rows, source.Columns);
        source.View.CopyTo(copy.View);
        return copy;
    }
}
