using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics.Eigen;

/// <summary>
/// Joins the eigensystems of two neighbouring tridiagonal blocks (Cuppen, Numer. Math. 36, 1981): eigenvectors of <c>diag(d) + weight z z^T</c>, with deflation, and with z
/// computed anew from the eigenvalues so that the vectors are orthogonal whatever the gaps (Gu and Eisenstat, SIAM J. Matrix Anal. Appl. 16, 1995).
/// </summary>
internal sealed class RankOneMerge
{
    private const double Epsilon = 1.0 / (1L << 53);

    /// <summary>Roots that are worth a thread.</summary>
    private const int RootsPerChunk = 8;

    private readonly Matrix<double> _vectors;
    private readonly Matrix<double> _spareRows;
    private readonly Matrix<double> _spareSquare;
    private readonly int _start;
    private readonly int _middle;
    private readonly int _end;
    private readonly double[] _values;
    private readonly double[] _z;
    private readonly double _weight;
    private readonly ComputePool _pool;

    /// <summary>Where the vector of an index is not zero.</summary>
    private readonly Support[] _supports;

    private RankOneMerge(Workspace workspace, int start, int middle, int end, double coupling, ComputePool pool)
    {
        (_vectors, _spareRows, _spareSquare) = workspace;
        (_start, _middle, _end, _pool) = (start, middle, end, pool);
        int size = end - start;
        _values = new double[size];
        _z = new double[size];
        _supports = new Support[size];
        // The last component of each vector above and the first of each below, of norm sqrt(2) together.
        for (int i = 0; i < size; i++)
        {
            bool above = start + i < middle;
            _supports[i] = above ? Support.Above : Support.Below;
            _z[i] = (above ? _vectors[start + i, middle - 1] : Math.CopySign(1, coupling) * _vectors[start + i, middle]) * Math.Sqrt(0.5);
        }

        _weight = 2 * Math.Abs(coupling);
    }

    private enum Support
    {
        Above,
        Both,
        Below,
    }

    /// <summary>Merges rows and columns [start, middle) and [middle, end).</summary>
    /// <param name="values">Eigenvalues of the two blocks, in any order; become those of the joined block, in any order.</param>
    /// <param name="workspace">Vectors as rows, and two spare matrices of their size, of which the block [start, end) is used.</param>
    /// <param name="start">First index.</param>
    /// <param name="middle">First index of the second block.</param>
    /// <param name="end">Index after the last.</param>
    /// <param name="coupling">The off-diagonal element between the blocks; its magnitude was subtracted from the two diagonal elements beside it.</param>
    /// <param name="pool">Threads.</param>
    public static void Join(Span<double> values, Workspace workspace, int start, int middle, int end, double coupling, ComputePool pool)
    {
        if (coupling == 0) return;
        var merge = new RankOneMerge(workspace, start, middle, end, coupling, pool);
        values[start..end].CopyTo(merge._values);
        (int[] kept, int[] deflated) = merge.Deflate();
        double[] roots = merge.Rotate(kept, deflated);
        roots.CopyTo(values[start..]);
        for (int i = 0; i < deflated.Length; i++) values[start + kept.Length + i] = merge._values[deflated[i]];
    }

    /// <summary>Splits off eigenpairs that stay as they are: those with no weight in z, and one of every two equal values after a rotation.</summary>
    private (int[] Kept, int[] Deflated) Deflate()
    {
        int[] order = [.. Enumerable.Range(0, _values.Length).OrderBy(i => _values[i])]; // a stable sort
        double largestZ = 0, largestValue = 0;
        for (int i = 0; i < _z.Length; i++)
        {
            largestZ = Math.Max(largestZ, Math.Abs(_z[i]));
            largestValue = Math.Max(largestValue, Math.Abs(_values[i]));
        }

        double tolerance = 8 * Epsilon * Math.Max(largestValue, largestZ);
        var kept = new List<int>(order.Length);
        var deflated = new List<int>();
        int previous = -1;
        foreach (int index in order)
        {
            if (_weight * Math.Abs(_z[index]) <= tolerance)
            {
                deflated.Add(index);
                continue;
            }

            if (previous >= 0)
            {
                if (TryMakeEqual(previous, index, tolerance)) deflated.Add(previous);
                else kept.Add(previous);
            }

            previous = index;
        }

        if (previous >= 0) kept.Add(previous);
        return ([.. kept], [.. deflated]);
    }

    /// <summary>Rotates two nearly equal eigenpairs so that the first has no weight in z, if what this neglects is rounding.</summary>
    private bool TryMakeEqual(int first, int second, double tolerance)
    {
        double norm = double.Hypot(_z[first], _z[second]), cosine = _z[second] / norm, sine = _z[first] / norm;
        if (Math.Abs((_values[second] - _values[first]) * cosine * sine) > tolerance) return false;
        _z[second] = norm;
        _z[first] = 0;
        if (_supports[first] != _supports[second]) _supports[first] = _supports[second] = Support.Both;
        int columns = _end - _start;
        DoubleVectors.Rotate(
            _vectors.Row(_start + first).Slice(_start, columns), _vectors.Row(_start + second).Slice(_start, columns), new PlaneRotation(cosine, -sine, sine, cosine));
        (double a, double b) = (_values[first], _values[second]);
        _values[first] = a * cosine * cosine + b * sine * sine;
        _values[second] = a * sine * sine + b * cosine * cosine;
        return true;
    }

    /// <summary>Replaces the vectors: first those of the roots, then the deflated ones.</summary>
    /// <returns>The roots.</returns>
    private double[] Rotate(int[] kept, int[] deflated)
    {
        // Grouped by support, so that the product skips the halves that are zero.
        int[] grouped = [.. Enumerable.Range(0, kept.Length).OrderBy(i => _supports[kept[i]])];
        int above = kept.Count(i => _supports[i] == Support.Above), both = kept.Count(i => _supports[i] == Support.Both), below = kept.Length - above - both;
        int count = kept.Length, columnsAbove = _middle - _start, columnsBelow = _end - _middle;
        MatrixView<double> spare = Block(_spareRows, 0, _values.Length, 0, _values.Length);
        for (int i = 0; i < count; i++) Current(kept[grouped[i]]).CopyTo(spare.Row(i));
        for (int i = 0; i < deflated.Length; i++) Current(deflated[i]).CopyTo(spare.Row(count + i));

        MatrixView<double> mixing = Block(_spareSquare, 0, count, 0, count);
        double[] roots = Mixing(kept, grouped, mixing);
        MatrixView<double> result = Block(_vectors, 0, count, 0, _values.Length);
        Multiply(mixing.ColumnRange(0, above + both), spare.RowRange(0, above + both).ColumnRange(0, columnsAbove), result.ColumnRange(0, columnsAbove));
        Multiply(mixing.ColumnRange(above, both + below), spare.RowRange(above, both + below).ColumnRange(columnsAbove, columnsBelow), result.ColumnRange(columnsAbove, columnsBelow));
        for (int i = 0; i < deflated.Length; i++) spare.Row(count + i).CopyTo(Block(_vectors, count + i, 1, 0, _values.Length).Row(0));
        return roots;
    }

    private void Multiply(MatrixView<double> mixing, MatrixView<double> rows, MatrixView<double> destination)
    {
        if (mixing.Rows == 0) return;
        if (mixing.Columns > 0)
        {
            MatrixProduct.Multiply(mixing, rows, destination, pool: _pool);
            return;
        }

        for (nint i = 0; i < destination.Rows; i++) destination.Row(i).Clear();
    }

    /// <summary>Writes the eigenvectors of the kept part as rows, their components in grouped order.</summary>
    private double[] Mixing(int[] kept, int[] grouped, MatrixView<double> mixing)
    {
        int count = kept.Length;
        double[] poles = [.. kept.Select(i => _values[i])], squares = [.. kept.Select(i => _weight * _z[i] * _z[i])], roots = new double[count];
        var equation = new SecularEquation(poles, squares);
        _pool.For(count, RootsPerChunk, (start, end) =>
        {
            for (int i = (int)start; i < end; i++) roots[i] = equation.Solve(i, mixing.Row(i));
        });

        double[] z = Weights(kept, poles, mixing);
        _pool.For(count, RootsPerChunk, (start, end) =>
        {
            double[] vector = new double[count];
            for (int i = (int)start; i < end; i++)
            {
                Span<double> row = mixing.Row(i);
                for (int j = 0; j < count; j++) vector[j] = z[grouped[j]] / row[grouped[j]];
                double norm = Math.Sqrt(DoubleVectors.Dot(vector, vector));
                for (int j = 0; j < count; j++) row[j] = vector[j] / norm;
            }
        });
        return roots;
    }

    /// <summary>The z of which the computed roots are the exact ones (Loewner's formula).</summary>
    private double[] Weights(int[] kept, double[] poles, MatrixView<double> differences)
    {
        int count = poles.Length;
        double[] z = new double[count];
        _pool.For(count, 4 * RootsPerChunk, (start, end) =>
        {
            int from = (int)start, to = (int)end;
            Span<double> products = z.AsSpan(from, to - from);
            products.Fill(1);
            for (int root = 0; root < count; root++)
            {
                ReadOnlySpan<double> row = differences.Row(root)[from..to];
                for (int j = 0; j < row.Length; j++) products[j] *= from + j == root ? row[j] : row[j] / (poles[from + j] - poles[root]);
            }

            for (int j = 0; j < products.Length; j++) products[j] = Math.CopySign(Math.Sqrt(Math.Max(0, -products[j])), _z[kept[from + j]]);
        });
        return z;
    }

    private Span<double> Current(int index) => _vectors.Row(_start + index).Slice(_start, _values.Length);

    private MatrixView<double> Block(Matrix<double> matrix, int row, int rows, int column, int columns) => matrix.RowRange(_start + row, rows).ColumnRange(_start + column, columns);
}

/// <summary>Matrices of one size: eigenvectors as rows, and room for a merge.</summary>
internal readonly record struct Workspace(Matrix<double> Vectors, Matrix<double> SpareRows, Matrix<double> SpareSquare);
