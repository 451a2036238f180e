using System.Runtime.CompilerServices;
using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>A matrix whose elements lie in <see cref="GuardedPages"/>, so that kernels over views can be caught outside them.</summary>
internal sealed unsafe class GuardedMatrix : IDisposable
{
    private readonly Matrix<float> _matrix;
    private readonly GuardedPages _pages;
    private readonly float* _own;

    public GuardedMatrix(nint rows, nint columns, GuardSide side)
    {
        _matrix = new Matrix<float>(rows, columns);
        _pages = new GuardedPages(rows * columns, side);
        ref float* pointer = ref MatrixPointer<float>.Of(_matrix);
        _own = pointer;
        pointer = _pages.Pointer;
    }

    public MatrixView<float> View => _matrix.View;

    public void Fill(Func<float> next)
    {
        foreach (ref float value in _pages.Span) value = next();
    }

    public void Dispose()
    {
        MatrixPointer<float>.Of(_matrix) = _own; // the matrix frees what it allocated
        _matrix.Dispose();
        _pages.Dispose();
    }

    private static class MatrixPointer<T>
        where T : unmanaged
    {
        [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_pointer")]
        public static extern ref T* Of(Matrix<T> matrix);
    }
}
