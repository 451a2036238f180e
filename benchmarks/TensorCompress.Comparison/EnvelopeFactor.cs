using System.Numerics.Tensors;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>One factor of <see cref="DbfEnvelopes"/> by channel, [k, q]: signs of a mixture M of solution and dual times magnitudes of rank l, <c>Z = sign(M) o (U V)</c>, U [k, l], V [l, q].</summary>
internal sealed class EnvelopeFactor : IDisposable
{
    private readonly Matrix<float> _mixture, _channels, _sides;

    public EnvelopeFactor(int channels, int width, int rank)
    {
        _mixture = new Matrix<float>(channels, width);
        Projection = new Matrix<float>(channels, width);
        Unit = new Matrix<float>(channels, width);
        _channels = new Matrix<float>(channels, rank);
        _sides = new Matrix<float>(rank, width);
        for (int p = 0; p < rank; p++)
        {
            for (int j = 0; j < width; j++) _sides[p, j] = p == 0 ? 1 : MathF.Cos(MathF.PI * p * (j + 0.5f) / width);
        }
    }

    /// <summary>Z.</summary>
    public Matrix<float> Projection { get; }

    /// <summary>Z with rows of length 1.</summary>
    public Matrix<float> Unit { get; }

    public void StartFrom(SeededRandom random)
    {
        for (nint i = 0; i < Unit.Rows; i++)
        {
            Span<float> row = Unit.Row(i);
            for (int j = 0; j < row.Length; j++) row[j] = (float)random.NextGaussian();
            TensorPrimitives.Divide(row, (float)Math.Sqrt(DoubleVectors.SquaredNorm(row)), row);
        }
    }

    /// <summary>In proportion to the root of the channels' lengths, with the same mean.</summary>
    public void WritePenalties(double penalty, Span<float> destination)
    {
        double mean = 0;
        for (int i = 0; i < destination.Length; i++) mean += (destination[i] = MathF.Sqrt(TensorPrimitives.Norm<float>(Projection.Row(i)))) / (double)destination.Length;
        for (int i = 0; i < destination.Length; i++) destination[i] = (float)(mean > 0 ? penalty * Math.Clamp(destination[i] / mean, 0.1, 10) : penalty);
    }

    /// <summary>C + diag(p) (2 Z - M).</summary>
    public void WriteRightSides(float[] penalties, MatrixView<float> cross, Matrix<float> destination)
    {
        for (int i = 0; i < penalties.Length; i++)
        {
            Span<float> row = destination.Row(i);
            TensorPrimitives.FusedMultiplyAdd<float>(Projection.Row(i), 2 * penalties[i], cross.Row(i), row);
            TensorPrimitives.FusedMultiplyAdd<float>(_mixture.Row(i), -penalties[i], row, row);
        }
    }

    /// <summary>M = r V + (1 - r) Z + (M - Z).</summary>
    public void Absorb(Matrix<float> solution, float relaxation)
    {
        for (nint i = 0; i < _mixture.Rows; i++)
        {
            Span<float> row = _mixture.Row(i);
            TensorPrimitives.FusedMultiplyAdd<float>(solution.Row(i), relaxation, row, row);
            TensorPrimitives.FusedMultiplyAdd<float>(Projection.Row(i), -relaxation, row, row);
        }
    }

    /// <summary>Magnitudes: the nearest of rank l to |M|, by alternating least squares from the last ones.</summary>
    public void Project(int sweeps)
    {
        using var magnitudes = new Matrix<float>(_mixture.Rows, _mixture.Columns);
        for (nint i = 0; i < _mixture.Rows; i++) TensorPrimitives.Abs<float>(_mixture.Row(i), magnitudes.Row(i));
        for (int sweep = 0; sweep < sweeps; sweep++)
        {
            Solve(_sides.View, _sides.View.Transposed, magnitudes, _channels.View, isLeft: true);
            Solve(_channels.View.Transposed, _channels, magnitudes.View.Transposed, _sides.View, isLeft: false);
        }

        Rebuild();
    }

    /// <summary>The envelope's sides V: for each column of Z by itself, from <c>W ~ Z^T B</c>.</summary>
    /// <param name="weights">W, [q, n].</param>
    /// <param name="other">B, [k, n].</param>
    public void FitSides(Matrix<float> weights, Matrix<float> other)
    {
        int rank = (int)_sides.Rows;
        Matrix<float>[] terms = [.. Enumerable.Range(0, rank).Select(p =>
        {
            using Matrix<float> signs = Signs(row => _channels[row, p], null);
            var term = new Matrix<float>(weights.Rows, weights.Columns);
            MatrixProduct.Multiply(signs.View.Transposed, other, term.View);
            return term;
        })];
        using var gram = new Matrix<double>(rank, rank);
        using var right = new Matrix<double>(rank, 1);
        for (nint row = 0; row < weights.Rows; row++)
        {
            for (int p = 0; p < rank; p++)
            {
                right[p, 0] = DoubleVectors.Dot(terms[p].Row(row), weights.Row(row));
                for (int s = 0; s < rank; s++) gram[p, s] = DoubleVectors.Dot(terms[p].Row(row), terms[s].Row(row));
            }

            using Cholesky factor = Cholesky.FactorizeWithRidge(gram.View);
            factor.Solve(right.View);
            for (int p = 0; p < rank; p++) _sides[p, row] = (float)right[p, 0];
        }

        foreach (Matrix<float> term in terms) term.Dispose();
        Rebuild();
    }

    /// <summary>The envelope's channels U, all at once, from <c>W ~ Z^T B</c>.</summary>
    /// <inheritdoc cref="FitSides"/>
    public void FitChannels(Matrix<float> weights, Matrix<float> other)
    {
        int rank = (int)_sides.Rows, channels = (int)_channels.Rows;
        using Matrix<float> stacked = new(rank * channels, weights.Rows), images = new(rank * channels, weights.Columns);
        for (int p = 0; p < rank; p++)
        {
            using Matrix<float> signs = Signs(_ => 1, p);
            signs.View.CopyTo(stacked.RowRange(p * channels, channels));
        }

        MatrixProduct.Multiply(stacked, weights, images.View);
        using Matrix<double> gram = new(rank * channels, rank * channels), own = new(rank * channels, rank * channels), others = new(channels, channels), right = new(rank * channels, 1);
        MatrixProduct.SymmetricRankK(stacked, own.View);
        MatrixProduct.SymmetricRankK(other, others.View);
        for (int i = 0; i < rank * channels; i++)
        {
            right[i, 0] = DoubleVectors.Dot(images.Row(i), other.Row(i % channels));
            for (int j = 0; j < rank * channels; j++) gram[i, j] = own[i, j] * others[i % channels, j % channels];
        }

        using Cholesky factor = Cholesky.FactorizeWithRidge(gram.View);
        factor.Solve(right.View);
        for (int i = 0; i < rank * channels; i++) _channels[i % channels, i / channels] = (float)right[i, 0];
        Rebuild();
    }

    /// <summary>Scales channels so that Z is what <see cref="Unit"/> is.</summary>
    public void TakeUnits()
    {
        for (nint i = 0; i < Projection.Rows; i++)
        {
            float norm = TensorPrimitives.Norm<float>(Projection.Row(i));
            if (norm > 0) TensorPrimitives.Divide(_channels.Row(i), norm, _channels.Row(i));
        }

        Rebuild();
    }

    public EnvelopeFactor Copy()
    {
        var copy = new EnvelopeFactor((int)_mixture.Rows, (int)_mixture.Columns, (int)_sides.Rows);
        _mixture.View.CopyTo(copy._mixture.View);
        _channels.View.CopyTo(copy._channels.View);
        _sides.View.CopyTo(copy._sides.View);
        copy.Rebuild();
        return copy;
    }

    public void Dispose()
    {
        foreach (Matrix<float> matrix in new[] { _mixture, Projection, Unit, _channels, _sides }) matrix.Dispose();
    }

    /// <summary>sign(M) times a number for each row and a side of the envelope.</summary>
    private Matrix<float> Signs(Func<nint, float> scale, int? side)
    {
        var signs = new Matrix<float>(_mixture.Rows, _mixture.Columns);
        for (nint i = 0; i < signs.Rows; i++)
        {
            for (int j = 0; j < signs.Columns; j++) signs[i, j] = (float.IsNegative(_mixture[i, j]) ? -1 : 1) * scale(i) * (side is { } p ? _sides[p, j] : 1);
        }

        return signs;
    }

    private void Rebuild()
    {
        MatrixProduct.Multiply(_channels, _sides, Projection.View);
        for (nint i = 0; i < Projection.Rows; i++)
        {
            Span<float> row = Projection.Row(i), unit = Unit.Row(i);
            ReadOnlySpan<float> mixture = _mixture.Row(i);
            for (int j = 0; j < row.Length; j++) row[j] = float.IsNegative(mixture[j]) ? -row[j] : row[j];
            float norm = TensorPrimitives.Norm<float>(row);
            if (norm > 0) TensorPrimitives.Divide(row, norm, unit);
            else unit.Clear();
        }
    }

    /// <summary>Least squares: X = Y F^T (F F^T)^-1, or its transpose.</summary>
    private static void Solve(MatrixOperand<float> factor, MatrixOperand<float> turned, MatrixOperand<float> target, MatrixView<float> solution, bool isLeft)
    {
        int rank = (int)factor.Rows;
        using var gram = new Matrix<double>(rank, rank);
        using var product = new Matrix<double>(target.Rows, rank);
        MatrixProduct.SymmetricRankK(factor, gram.View);
        MatrixProduct.Multiply(target, turned, product.View);
        using Cholesky system = Cholesky.FactorizeWithRidge(gram.View);
        using var sides = new Matrix<double>(rank, product.Rows);
        for (nint i = 0; i < product.Rows; i++)
        {
            for (int p = 0; p < rank; p++) sides[p, i] = product[i, p];
        }

        system.Solve(sides.View);
        for (nint i = 0; i < product.Rows; i++)
        {
            for (int p = 0; p < rank; p++)
            {
                if (isLeft) solution.Row(i)[p] = (float)sides[p, i];
                else solution.Row(p)[(int)i] = (float)sides[p, i];
            }
        }
    }
}
