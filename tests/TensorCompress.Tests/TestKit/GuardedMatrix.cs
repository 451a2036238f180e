using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>A matrix whose elements lie in <see cref="GuardedMemory{T}"/>, so that kernels over views can be caught outside them.</summary>
internal sealed unsafe class GuardedMatrix : IDisposable
{
    private readonly Matrix<float> _matrix;
    private readonly GuardedMemory<float> _memory;
    private readonly float* _own;

    public GuardedMatrix(int rows, int columns, bool guardAfter)
    {
        _matrix = new Matrix<float>(rows, columns);
        _memory = new GuardedMemory<float>(rows * columns, guardAfter);
        ref float* pointer = ref MatrixPointer<float>.Of(_matrix);
        _own = pointer;
        pointer = (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(_memory.Span));
    }

    public MatrixView<float> View => _matrix.View;

    public void Dispose()
    {
        MatrixPointer<float>.Of(_matrix) = _own; // the matrix frees what it allocated
        _matrix.Dispose();
        _memory.Dispose();
    }

    private static class MatrixPointer<T>
        where T : unmanaged
    {
        [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_pointer")]
        public static extern ref T* Of(Matrix<T> matrix);
    }
}
