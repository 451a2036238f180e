using System.Runtime.InteropServices;

namespace TensorCompress.Comparison;

/// <summary>What the factorisations are compared with. LAPACK stores by columns: a row-major [k, m] matrix of vectors is its m x k matrix.</summary>
internal sealed unsafe partial class OpenBlas
{
    private const int Transpose = 112, Upper = 121, Lower = 122;

    /// <summary>C = alpha op(A) op(B) + beta C, row-major, contiguous.</summary>
    public void Multiply(int m, int n, int k, float* a, bool transposeA, float* b, bool transposeB, float* c, float alpha = 1, float beta = 0) =>
        _sgemm(RowMajor, transposeA ? Transpose : NoTranspose, transposeB ? Transpose : NoTranspose, m, n, k, alpha, a, transposeA ? m : k, b, transposeB ? k : n, beta, c, n);

    /// <summary>Upper triangle (row-major) of G = A A^T for A of [n, k].</summary>
    public void Gram(int n, int k, double* a, double* gram)
    {
        var dsyrk = (delegate* unmanaged<int, int, int, int, int, double, double*, int, double, double*, int, void>)NativeLibrary.GetExport(_library, "cblas_dsyrk");
        dsyrk(RowMajor, Upper, NoTranspose, n, k, 1, a, k, 0, gram, n);
    }

    /// <summary>Singular values and vectors (jobz S) of a square column-major matrix, which is overwritten.</summary>
    public void SingularValues(int n, float* a, float* values, float* left, float* right)
    {
        var sgesdd = (delegate* unmanaged<byte*, int*, int*, float*, int*, float*, float*, int*, float*, int*, float*, int*, int*, int*, nint, void>)NativeLibrary.GetExport(_library, "sgesdd_");
        byte job = (byte)'S';
        int info = 0, length = -1;
        float best;
        int[] integers = new int[8 * n];
        fixed (int* iwork = integers)
        {
            sgesdd(&job, &n, &n, a, &n, values, left, &n, right, &n, &best, &length, iwork, &info, 1);
            length = (int)best;
            float[] work = new float[length];
            fixed (float* pointer = work) sgesdd(&job, &n, &n, a, &n, values, left, &n, right, &n, pointer, &length, iwork, &info, 1);
        }

        ThrowIfFailed(info, "sgesdd");
    }

    /// <summary>Makes k vectors of length m, stored one after the other, orthonormal (geqrf and orgqr).</summary>
    public void Orthonormalize(int m, int k, float* vectors)
    {
        var sgeqrf = (delegate* unmanaged<int*, int*, float*, int*, float*, float*, int*, int*, void>)NativeLibrary.GetExport(_library, "sgeqrf_");
        var sorgqr = (delegate* unmanaged<int*, int*, int*, float*, int*, float*, float*, int*, int*, void>)NativeLibrary.GetExport(_library, "sorgqr_");
        int info = 0, length = 64 * k;
        float[] factors = new float[k], space = new float[length];
        fixed (float* tau = factors, work = space)
        {
            sgeqrf(&m, &k, vectors, &m, tau, work, &length, &info);
            ThrowIfFailed(info, "sgeqrf");
            sorgqr(&m, &k, &k, vectors, &m, tau, work, &length, &info);
            ThrowIfFailed(info, "sorgqr");
        }
    }

    /// <summary>Eigenvalues, ascending, and eigenvectors, one after the other, in place of a symmetric matrix of which the upper triangle (row-major) is read.</summary>
    public void Eigen(int n, double* matrix, double* values)
    {
        var dsyevd = (delegate* unmanaged<byte*, byte*, int*, double*, int*, double*, double*, int*, int*, int*, int*, nint, nint, void>)NativeLibrary.GetExport(_library, "dsyevd_");
        byte job = (byte)'V', triangle = (byte)'L';
        int info = 0, length = 1 + 6 * n + 2 * n * n, integerLength = 3 + 5 * n;
        double[] space = new double[length];
        int[] integers = new int[integerLength];
        fixed (double* work = space)
        fixed (int* iwork = integers)
        {
            dsyevd(&job, &triangle, &n, matrix, &n, values, work, &length, iwork, &integerLength, &info, 1, 1);
        }

        ThrowIfFailed(info, "dsyevd");
    }

    private static void ThrowIfFailed(int info, string routine)
    {
        if (info != 0) throw new InvalidOperationException($"{routine} ended with {info}.");
    }
}
