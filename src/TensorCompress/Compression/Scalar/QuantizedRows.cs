using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Scalar;

/// <summary>Codes, scales and zero points of a quantised matrix: weight = scale (code - zero), an exact product in single precision.</summary>
/// <remarks>
/// Codes [rows, bytes of a <see cref="BitStream"/>]; scales [rows, groups] as little-endian F16 or F32; zeros [rows, bytes of packed codes] of as many bits as a code,
/// or none, and then the zero of every group is 2^(bits - 1).
/// </remarks>
internal sealed class QuantizedRows(ScalarOptions options, int columns, Matrix<byte> codes, Matrix<byte> scales, Matrix<byte>? zeros) : IDisposable
{
    /// <summary>Codes that a step of the vector path decodes; eight codes of b bits are b whole bytes.</summary>
    private const int StepCodes = 8;

    public ScalarOptions Options { get; } = options;

    public int Rows => checked((int)Codes.Rows);

    public int Columns { get; } = columns;

    public Matrix<byte> Codes { get; } = codes;

    public Matrix<byte> Scales { get; } = scales;

    public Matrix<byte>? Zeros { get; } = zeros;

    public long ByteLength => Codes.ByteLength + Scales.ByteLength + (Zeros?.ByteLength ?? 0);

    /// <summary>Groups of a row.</summary>
    public static int GroupCount(int columns, int group) => (int)(((long)columns + group - 1) / group);

    /// <summary>A bound of the magnitude of any weight with a scale.</summary>
    public static float LargestWeight(float scale, int bits) => scale * ((1 << bits) - 1);

    /// <summary>Codes, scales and zeros that are all 0.</summary>
    public static QuantizedRows Create(ScalarOptions options, int rows, int columns)
    {
        int groups = GroupCount(columns, options.Group);
        return new QuantizedRows(
            options,
            columns,
            new Matrix<byte>(rows, BitStream.ByteLength(columns, options.Bits)),
            new Matrix<byte>(rows, checked(groups * (nint)options.Scales.BitWidth() / 8)),
            options.Symmetric ? null : new Matrix<byte>(rows, BitStream.ByteLength(groups, options.Bits)));
    }

    public QuantizedRows Clone() => new(Options, Columns, Copy(Codes), Copy(Scales), Zeros is null ? null : Copy(Zeros));

    /// <summary>The scale of a group.</summary>
    public float Scale(int row, int group) => Options.Scales == ElementType.F16
        ? (float)BinaryPrimitives.ReadHalfLittleEndian(Scales.Row(row)[(2 * group)..])
        : BinaryPrimitives.ReadSingleLittleEndian(Scales.Row(row)[(4 * group)..]);

    /// <summary>Sets the scale of a group; it is rounded to its stored type already.</summary>
    public void WriteScale(int row, int group, float scale)
    {
        if (Options.Scales == ElementType.F16) BinaryPrimitives.WriteHalfLittleEndian(Scales.Row(row)[(2 * group)..], (Half)scale);
        else BinaryPrimitives.WriteSingleLittleEndian(Scales.Row(row)[(4 * group)..], scale);
    }

    /// <summary>The code that stands for 0 in a group.</summary>
    public int Zero(int row, int group) => Zeros is null ? 1 << (Options.Bits - 1) : BitStream.Read(Zeros.Row(row), (long)group * Options.Bits, Options.Bits);

    /// <summary>Whether all codes of a group stand for 0.</summary>
    public bool IsZero(int row, int group)
    {
        long start = (long)group * Options.Group, end = Math.Min(start + Options.Group, Columns);
        int zero = Zero(row, group);
        for (long i = start; i < end; i++)
        {
            if (BitStream.Read(Codes.Row(row), i * Options.Bits, Options.Bits) != zero) return false;
        }

        return true;
    }

    /// <summary>Writes the weights of a row.</summary>
    public void DecodeRow(int row, Span<float> destination)
    {
        ReadOnlySpan<byte> codes = Codes.Row(row);
        for (int group = 0, start = 0; start < destination.Length; group++)
        {
            int count = Math.Min(Options.Group, destination.Length - start);
            DecodeGroup(codes, start, Scale(row, group), Zero(row, group), destination.Slice(start, count));
            start += count;
        }
    }

    public void Dispose()
    {
        Codes.Dispose();
        Scales.Dispose();
        Zeros?.Dispose();
    }

    private static Matrix<byte> Copy(Matrix<byte> source)
    {
        var copy = new Matrix<byte>(source.Rows, source.Columns);
        source.View.CopyTo(copy.View);
        return copy;
    }

    private void DecodeGroup(ReadOnlySpan<byte> codes, int start, float scale, int zero, Span<float> destination)
    {
        int done = start % StepCodes == 0 ? DecodeSteps(codes[(start / StepCodes * Options.Bits)..], scale, zero, destination) : 0;
        for (; done < destination.Length; done++) destination[done] = scale * (BitStream.Read(codes, (long)(start + done) * Options.Bits, Options.Bits) - zero);
    }

    /// <summary>Decodes eight codes at a time: all lanes get the same bits, keep those of their own code, and shift them down by a multiplication with a power of two.</summary>
    /// <returns>How many were decoded; the last ones are left where reading eight bytes would pass the row's end.</returns>
    private int DecodeSteps(ReadOnlySpan<byte> codes, float scale, int zero, Span<float> destination)
    {
        int bits = Options.Bits, i = 0;
        Vector128<int> mask4 = Vector128.Create(1, 1 << bits, 1 << (2 * bits), bits == 8 ? 0 : 1 << (3 * bits)) * ((1 << bits) - 1);
        Vector128<float> shift4 = Vector128.Create(1f, 1f / (1 << bits), 1f / (1 << (2 * bits)), 1f / (1L << (3 * bits)));
        Vector256<int> mask = Vector256.Create(mask4, mask4);
        Vector256<float> shift = Vector256.Create(shift4, shift4), zeros = Vector256.Create((float)zero), scales = Vector256.Create(scale);
        for (int offset = 0; i <= destination.Length - StepCodes && offset <= codes.Length - sizeof(ulong); i += StepCodes, offset += bits)
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(codes[offset..]);
            Vector256<float> values = bits == 8
                ? Vector256.ConvertToSingle(WidenBytes(word))
                : Vector256.ConvertToSingle(Vector256.Create(Vector128.Create((int)word), Vector128.Create((int)(word >> (4 * bits)))) & mask) * shift;
            ((values - zeros) * scales).CopyTo(destination.Slice(i, StepCodes));
        }

        return i;
    }

    private static Vector256<int> WidenBytes(ulong word)
    {
        (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.WidenLower(Vector128.CreateScalar(word).AsByte()));
        return Vector256.Create(low, high).AsInt32();
    }
}
