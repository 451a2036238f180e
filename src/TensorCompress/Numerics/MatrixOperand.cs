using TensorCompress.Tensors;

namespace TensorCompress.Numerics;

/// <summary>A matrix as it enters a product: a view, read as it stands or transposed. Nothing is copied.</summary>
/// <typeparam name="T">The element.</typeparam>
/// <param name="View">The stored matrix.</param>
/// <param name="IsTransposed">Whether rows and columns change places.</param>
public readonly record struct MatrixOperand<T>(MatrixView<T> View, bool IsTransposed)
    where T : unmanaged
{
    /// <summary>Rows of the operand.</summary>
    public nint Rows => IsTransposed ? View.Columns : View.Rows;

    /// <summary>Columns of the operand.</summary>
    public nint Columns => IsTransposed ? View.Rows : View.Columns;

    /// <summary>The operand with rows and columns changed over.</summary>
    public MatrixOperand<T> Transposed => new(View, !IsTransposed);

    /// <summary>A view as it stands.</summary>
    public static implicit operator MatrixOperand<T>(MatrixView<T> view) => new(view, IsTransposed: false);

    /// <summary>A whole matrix as it stands.</summary>
    public static implicit operator MatrixOperand<T>(Matrix<T> matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        return new(matrix.View, IsTransposed: false);
    }
}

/// <summary>Transposed reading of matrices in products.</summary>
public static class MatrixOperandExtensions
{
    extension<T>(MatrixView<T> view)
        where T : unmanaged
    {
        /// <summary>The view, read transposed.</summary>
        public MatrixOperand<T> Transposed => new(view, IsTransposed: true);
    }

    extension<T>(Matrix<T> matrix)
        where T : unmanaged
    {
        /// <summary>The matrix, read transposed.</summary>
        public MatrixOperand<T> Transposed => new(matrix.View, IsTransposed: true);
    }
}
