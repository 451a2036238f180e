using System.Runtime.InteropServices;

namespace TensorCompress.Comparison;

/// <summary>Operations of both precisions, named by their letter: <c>s</c> or <c>d</c>. All matrices are row-major and contiguous.</summary>
internal sealed unsafe partial class OpenBlas
{
    private const int Left = 141, NonUnit = 131;

    /// <summary>C = A op(B), A of [m, k].</summary>
    public void Multiply<T>(int m, int n, int k, T* a, T* b, bool transposeB, T* c)
        where T : unmanaged
    {
        var gemm = (delegate* unmanaged<int, int, int, int, int, int, T, T*, int, T*, int, T, T*, int, void>)Export<T>("gemm");
        gemm(RowMajor, NoTranspose, transposeB ? Transpose : NoTranspose, m, n, k, One<T>(), a, k, b, transposeB ? k : n, default, c, n);
    }

    /// <summary>y = x op(B), one row: what OpenBLAS has for it.</summary>
    public void MultiplyRow<T>(int n, int k, T* x, T* b, bool transposeB, T* y)
        where T : unmanaged
    {
        var gemv = (delegate* unmanaged<int, int, int, int, T, T*, int, T*, int, T, T*, int, void>)Export<T>("gemv");
        int rows = transposeB ? n : k, columns = transposeB ? k : n;
        gemv(RowMajor, transposeB ? NoTranspose : Transpose, rows, columns, One<T>(), b, columns, x, 1, default, y, 1);
    }

    /// <summary>Lower triangle of C = A A^T, A of [n, k].</summary>
    public void SymmetricRankK<T>(int n, int k, T* a, T* c)
        where T : unmanaged
    {
        var syrk = (delegate* unmanaged<int, int, int, int, int, T, T*, int, T, T*, int, void>)Export<T>("syrk");
        syrk(RowMajor, Lower, NoTranspose, n, k, One<T>(), a, k, default, c, n);
    }

    /// <summary>B = L^-1 B, B of [n, count].</summary>
    public void SolveLower<T>(int n, int count, T* lower, T* b)
        where T : unmanaged
    {
        var trsm = (delegate* unmanaged<int, int, int, int, int, int, int, T, T*, int, T*, int, void>)Export<T>("trsm");
        trsm(RowMajor, Left, Lower, NoTranspose, NonUnit, n, count, One<T>(), lower, n, b, count);
    }

    private nint Export<T>(string name) => NativeLibrary.GetExport(_library, $"cblas_{(typeof(T) == typeof(float) ? 's' : 'd')}{name}");

    private static T One<T>()
        where T : unmanaged => typeof(T) == typeof(float) ? (T)(object)1f : (T)(object)1d;
}
