using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>A matrix whose elements lie in <see cref="GuardedMemory{T}"/>, so that kernels over views can be caught outside them.</summary>
internal sealed class GuardedMatrix : IDisposable
{
    private readonly Matrix<float> _matrix;
    private readonly MatrixGuard<float> _guard;

    public GuardedMatrix(int rows, int columns, bool guardAfter)
    {
        _matrix = new Matrix<float>(rows, columns);
        _guard = new MatrixGuard<float>(_matrix, guardAfter);
    }

    public MatrixView<float> View => _matrix.View;

    public void Dispose()
    {
        _guard.Dispose();
        _matrix.Dispose();
    }
}

/// <summary>Moves a matrix that others own into <see cref="GuardedMemory{T}"/> for a while.</summary>
internal sealed unsafe class MatrixGuard<T> : IDisposable
    where T : unmanaged
{
    private readonly Matrix<T> _matrix;
    private readonly GuardedMemory<T> _memory;
    private readonly T* _own;

    public MatrixGuard(Matrix<T> matrix, bool guardAfter)
    {
        _matrix = matrix;
        _memory = new GuardedMemory<T>(checked((int)(matrix.Rows * matrix.Columns)), guardAfter);
        ref T* pointer = ref MatrixPointer<T>.Of(matrix);
        new ReadOnlySpan<T>(pointer, _memory.Length).CopyTo(_memory.Span);
        _own = pointer;
        pointer = (T*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(_memory.Span));
    }

    public void Dispose()
    {
        MatrixPointer<T>.Of(_matrix) = _own; // the matrix frees what it allocated
        _memory.Dispose();
    }
}

/// <summary>The address inside a matrix. (A field of a generic type is reached from a type with the same parameters only.)</summary>
internal static unsafe class MatrixPointer<T>
    where T : unmanaged
{
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_pointer")]
    public static extern ref T* Of(Matrix<T> matrix);
}
