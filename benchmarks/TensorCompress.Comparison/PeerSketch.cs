using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>
/// Truncated singular values by block Krylov on OpenBLAS: the steps that <see cref="Svd"/> takes, with geqrf and orgqr for bases (one projection before each, where ours
/// makes two), syrk and syevd in double for the small problem.
/// </summary>
internal sealed unsafe class PeerSketch : IDisposable
{
    /// <summary>As ours: the columns of three sketches (two power steps), in twelve blocks.</summary>
    private const int Blocks = 12;

    private readonly OpenBlas _peer;
    private readonly Matrix<float> _matrix;
    private readonly int _rank;
    private readonly int _block;
    private readonly Matrix<float> _start;
    private readonly Matrix<float> _basis;
    private readonly Matrix<float> _projected;

    public PeerSketch(OpenBlas peer, Matrix<float> matrix, int rank)
    {
        (_peer, _matrix, _rank) = (peer, matrix, rank);
        _block = 3 * (rank + Math.Max(16, rank / 10)) / Blocks;
        _start = new Matrix<float>(_block, matrix.Columns);
        _basis = new Matrix<float>(Blocks * _block, matrix.Rows);
        _projected = new Matrix<float>(Blocks * _block, matrix.Columns);
        Left = new Matrix<float>(rank, matrix.Rows);
        Right = new Matrix<float>(rank, matrix.Columns);
        Values = new double[rank];
    }

    public Matrix<float> Left { get; }

    public Matrix<float> Right { get; }

    public double[] Values { get; }

    public void Run()
    {
        int m = (int)_matrix.Rows, n = (int)_matrix.Columns;
        var random = new SeededRandom(3);
        for (int i = 0; i < _block; i++)
        {
            foreach (ref float value in _start.Row(i)) value = random.NextSingle() - 0.5f;
        }

        using var parts = new Matrix<float>(_block, Blocks * _block);
        fixed (float* a = _matrix.Row(0), start = _start.Row(0), inner = parts.Row(0), basis = _basis.Row(0), projected = _projected.Row(0))
        {
            for (int step = 0; step < Blocks; step++)
            {
                float* block = basis + (long)step * _block * m, image = projected + (long)step * _block * n;
                _peer.Multiply(_block, m, n, start, false, a, true, block);
                if (step > 0)
                {
                    _peer.Multiply(_block, step * _block, m, block, false, basis, true, inner);
                    _peer.Multiply(_block, m, step * _block, inner, false, basis, false, block, -1, 1);
                }

                _peer.Orthonormalize(m, _block, block);
                _peer.Multiply(_block, n, m, block, false, a, false, image);
                if (step == Blocks - 1) break;
                _projected.RowRange(step * _block, _block).CopyTo(_start.View);
                _peer.Orthonormalize(n, _block, start);
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
        using var mixing = new Matrix<float>(_rank, size);
        double[] squares = new double[size];
        for (int i = 0; i < size; i++) System.Numerics.Tensors.TensorPrimitives.ConvertTruncating<float, double>(_projected.Row(i), wide.Row(i));
        fixed (double* w = wide.Row(0), g = gram.Row(0), eigenvalues = squares)
        fixed (float* mix = mixing.Row(0), left = Left.Row(0), right = Right.Row(0))
        {
            _peer.Gram(size, n, w, g);
            _peer.Eigen(size, g, eigenvalues);
            for (int i = 0; i < _rank; i++)
            {
                Values[i] = Math.Sqrt(squares[size - 1 - i]);
                for (int j = 0; j < size; j++) mixing[i, j] = (float)gram[size - 1 - i, j];
            }

            _peer.Multiply(_rank, m, size, mix, false, basis, false, left);
            _peer.Multiply(_rank, n, size, mix, false, projected, false, right);
        }

        for (int i = 0; i < _rank; i++)
        {
            foreach (ref float value in Right.Row(i)) value = (float)(value / Values[i]);
        }
    }
}
