using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Numerics;

/// <summary>
/// <c>A + ridge I = L L^T</c> for a symmetric positive definite A, blocked, with solves for many right-hand sides. The same bits at any number of threads.
/// </summary>
public sealed class Cholesky : IDisposable
{
    private const double FirstRelativeRidge = 1e-10;

    private readonly ComputePool _pool;

    private Cholesky(Matrix<double> lower, double ridge, ComputePool pool)
    {
        Lower = lower;
        Ridge = ridge;
        _pool = pool;
    }

    /// <summary>L, [n, n], zeros above the diagonal.</summary>
    public Matrix<double> Lower { get; }

    /// <summary>What was added to the diagonal of A.</summary>
    public double Ridge { get; }

    /// <summary>How often the ridge was raised; 0 if A itself was factorised.</summary>
    public int RidgeSteps { get; private init; }

    /// <summary>Factorises a matrix, with what is added to its diagonal.</summary>
    /// <param name="matrix">A, [n, n]; only the lower triangle is read.</param>
    /// <param name="ridge">Added to the diagonal.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The matrix is not square, or an element is NaN or infinite.</exception>
    /// <exception cref="ArithmeticException">The matrix is not positive definite; the message says in which row that shows.</exception>
    public static Cholesky Factorize(MatrixView<double> matrix, double ridge = 0, ComputePool? pool = null)
    {
        ThrowIfUnfit(matrix);
        return TryFactorize(matrix, ridge, 0, pool ?? ComputePool.Shared, out int failed)
            ?? throw new ArithmeticException($"The {matrix.Rows} x {matrix.Rows} matrix with a ridge of {ridge} is not positive definite, as row {failed} shows.");
    }

    /// <summary>Factorises a matrix that is positive semi-definite but for rounding: the ridge starts at 0 and is raised until it is enough.</summary>
    /// <param name="matrix">A, [n, n], such as a matrix of second moments; only the lower triangle is read.</param>
    /// <param name="maximumSteps">1 to 10. The first step is 1e-10 of the mean of the diagonal, each further one ten times the one before.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <returns>The factor; <see cref="Ridge"/> and <see cref="RidgeSteps"/> say what it took.</returns>
    /// <exception cref="ArgumentException">The matrix is not square, or an element is NaN or infinite.</exception>
    /// <exception cref="ArithmeticException">The largest ridge is not enough; the message gives it.</exception>
    public static Cholesky FactorizeWithRidge(MatrixView<double> matrix, int maximumSteps = 10, ComputePool? pool = null)
    {
        ThrowIfUnfit(matrix);
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumSteps, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maximumSteps, 10);
        double trace = 0, ridge = 0;
        for (nint i = 0; i < matrix.Rows; i++) trace += matrix.Row(i)[(int)i] / matrix.Rows;
        int failed = 0;
        for (int step = 0; step <= maximumSteps; step++)
        {
            if (step > 0) ridge = FirstRelativeRidge * Math.Pow(10, step - 1) * trace;
            if (TryFactorize(matrix, ridge, step, pool ?? ComputePool.Shared, out failed) is { } factor) return factor;
            if (!(trace > 0)) break;
        }

        throw new ArithmeticException($"The {matrix.Rows} x {matrix.Rows} matrix is not positive definite even with a ridge of {ridge} (mean diagonal {trace}), as row {failed} shows.");
    }

    /// <summary>B = (A + ridge I)^-1 B.</summary>
    /// <param name="rightSides">B, [n, any]; overwritten.</param>
    /// <exception cref="ArgumentException">The number of rows is another.</exception>
    public void Solve(MatrixView<double> rightSides)
    {
        SolveLower(rightSides);
        SolveLowerTransposed(rightSides);
    }

    /// <summary>B = L^-1 B.</summary>
    /// <inheritdoc cref="Solve(MatrixView{double})"/>
    public void SolveLower(MatrixView<double> rightSides) => TriangularSolve.Left(Lower, Triangle.Lower, rightSides, _pool);

    /// <summary>B = L^-T B.</summary>
    /// <inheritdoc cref="Solve(MatrixView{double})"/>
    public void SolveLowerTransposed(MatrixView<double> rightSides) => TriangularSolve.Left(Lower.Transposed, Triangle.Upper, rightSides, _pool);

    /// <summary>Frees the factor.</summary>
    public void Dispose() => Lower.Dispose();

    /// <summary>Factorises, or says which row shows that it cannot be.</summary>
    /// <returns>The factor; null if the matrix is not positive definite.</returns>
    internal static Cholesky? TryFactorize(MatrixView<double> matrix, double ridge, int ridgeSteps, ComputePool pool, out int failedRow)
    {
        var result = new Cholesky(new Matrix<double>(matrix.Rows, matrix.Rows), ridge, pool) { RidgeSteps = ridgeSteps };
        for (int i = 0; i < matrix.Rows; i++)
        {
            matrix.Row(i)[..(i + 1)].CopyTo(result.Lower.Row(i));
            result.Lower[i, i] += ridge;
        }

        failedRow = CholeskyBlocks.Factorize(result.Lower, pool);
        if (failedRow < 0) return result;
        result.Dispose();
        return null;
    }

    private static void ThrowIfUnfit(MatrixView<double> matrix)
    {
        if (matrix.Rows != matrix.Columns) throw new ArgumentException($"A symmetric matrix is square, not {matrix.Rows} x {matrix.Columns}.", nameof(matrix));
        MatrixScale.Exponent(matrix, nameof(matrix));
    }
}
