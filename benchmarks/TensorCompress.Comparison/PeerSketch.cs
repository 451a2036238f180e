using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Truncated singular values by block Krylov on OpenBLAS: the steps that <see cref="Svd"/> takes, with geqrf and orgqr for bases (one projection before each, where ours
/// makes two), syrk and syevd in double for the small problem.
/// </summary>
internal sealed unsafe class PeerSketch(OpenBlas peer, Matrix<float> matrix, int rank, int powerSteps) : IDisposable
{
    private readonly int _block = rank + Math.Max(16, rank / 10);
    private readonly Matrix<float> _start = new(rank + Math.Max(16, rank / 10), matrix.Columns);
    private readonly Matrix<float> _basis = new((powerSteps + 1) * (rank + Math.Max(16, rank / 10)), matrix.Rows);
    private readonly Matrix<float> _projected = new((powerSteps + 1) * (rank + Math.Max(16, rank / 10)), matrix.Columns);

    public Matrix<float> Left { get; } = new(rank, matrix.Rows);

    public Matrix<float> Right { get; } = new(rank, matrix.Columns);

    public double[] Values { get; } = new double[rank];

    public void Run()
    {
        int m = (int)matrix.Rows, n = (int)matrix.Columns;
        var random = new SeededRandom(3);
        for (int i = 0; i < _block; i++)
        {
            foreach (ref float value in _start.Row(i)) value = random.NextSingle() - 0.5f;
        }

        using var parts = new Matrix<float>(_block, powerSteps * _block + 1);
        fixed (float* a = matrix.Row(0), start = _start.Row(0), inner = parts.Row(0), basis = _basis.Row(0), projected = _projected.Row(0))
        {
            for (int step = 0; step <= powerSteps; step++)
            {
                float* block = basis + (long)step * _block * m, image = projected + (long)step * _block * n;
                peer.Multiply(_block, m, n, start, false, a, true, block);
                if (step > 0)
                {
                    peer.Multiply(_block, step * _block, m, block, false, basis, true, inner);
                    peer.Multiply(_block, m, step * _block, inner, false, basis, false, block, -1, 1);
                }

                peer.Orthonormalize(m, _block, block);
                peer.Multiply(_block, n, m, block, false, a, false, image);
                if (step == powerSteps) break;
                _projected.RowRange(step * _block, _block).CopyTo(_start.View);
                peer.Orthonormalize(n, _block, start);
            }

            Extract(m, n, basis, projected);
        }
    }

    public void Dispose()
    {
        _start.Dispose();
        _basis.Dispose();
        _projected.Dispose();
        Left.Dispose();
        Right.Dispose();
    }

    private void Extract(int m, int n, float* basis, float* projected)
    {
        int size = (int)_basis.Rows;
        using Matrix<double> wide = new(size, n), gram = new(size, size);
        using var mixing = new Matrix<float>(rank, size);
        double[] squares = new double[size];
        for (int i = 0; i < size; i++) System.Numerics.Tensors.TensorPrimitives.ConvertTruncating<float, double>(_projected.Row(i), wide.Row(i));
        fixed (double* w = wide.Row(0), g = gram.Row(0), eigenvalues = squares)
        fixed (float* mix = mixing.Row(0), left = Left.Row(0), right = Right.Row(0))
        {
            peer.Gram(size, n, w, g);
            peer.Eigen(size, g, eigenvalues);
            for (int i = 0; i < rank; i++)
            {
                Values[i] = Math.Sqrt(squares[size - 1 - i]);
                for (int j = 0; j < size; j++) mixing[i, j] = (float)gram[size - 1 - i, j];
            }

            peer.Multiply(rank, m, size, mix, false, basis, false, left);
            peer.Multiply(rank, n, size, mix, false, projected, false, right);
        }

        for (int i = 0; i < rank; i++)
        {
            foreach (ref float value in Right.Row(i)) value = (float)(value / Values[i]);
        }
    }
}
