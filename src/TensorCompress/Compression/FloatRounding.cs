using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Compression;

/// <summary>Rounding of finite floats to a stored type, with overflow refused.</summary>
internal static class FloatRounding
{
    /// <summary>Rounds a matrix to nearest even.</summary>
    /// <param name="values">Finite floats.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="parameterName">For the message.</param>
    /// <returns>Little-endian elements, one row per row.</returns>
    /// <exception cref="ArgumentException">A value is beyond the type's range.</exception>
    public static Matrix<byte> Round(MatrixView<float> values, ElementType type, string parameterName)
    {
        int size = type.BitWidth() / 8;
        var rounded = new Matrix<byte>(values.Rows, checked(values.Columns * size));
        float limit = Limit(type);
        for (nint row = 0; row < values.Rows; row++)
        {
            ReadOnlySpan<float> source = values.Row(row);
            int outside = IndexOfBeyond(source, limit);
            if (outside >= 0)
                throw new ArgumentException($"The value {source[outside]} at row {row}, column {outside} is beyond the range of {type.Name()}.", parameterName);
            ElementConversion.FromSingle(source, type, rounded.Row(row));
        }

        return rounded;
    }

    /// <summary>The least magnitude that rounds to infinity.</summary>
    public static float Limit(ElementType type) => type switch
    {
        ElementType.F16 => 65520, // half-way between 65504 and 65536
        ElementType.BF16 => BitConverter.UInt32BitsToSingle(0x7F7F8000),
        _ => float.PositiveInfinity,
    };

    private static int IndexOfBeyond(ReadOnlySpan<float> values, float limit)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (Math.Abs(values[i]) >= limit) return i;
        }

        return -1;
    }
}
