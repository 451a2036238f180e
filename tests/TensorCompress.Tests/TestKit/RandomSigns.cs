using TensorCompress.Compression.Dbf;
using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>Reproducible signs in the forms that are compared.</summary>
internal static class RandomSigns
{
    public static SignMatrix Matrix(int rows, int columns, int seed)
    {
        using var values = new Matrix<float>(rows, columns, new FloatSource(seed).Array(rows * columns));
        return SignMatrix.FromSigns(values.View);
    }

    public static SignBlocks Packed(SignMatrix signs) => Packed(signs, SignProducts.Layout);

    public static SignBlocks Packed(SignMatrix signs, SignLayout layout) => SignBlocks.FromRows(signs.Bytes, signs.Rows, signs.Columns, layout);

    /// <summary>A matrix of one sign.</summary>
    public static SignMatrix Constant(int rows, int columns, float value)
    {
        using var values = new Matrix<float>(rows, columns);
        for (nint row = 0; row < rows; row++) values.Row(row).Fill(value);
        return SignMatrix.FromSigns(values.View);
    }
}
