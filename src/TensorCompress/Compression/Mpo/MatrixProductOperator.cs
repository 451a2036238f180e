using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <summary>
/// A matrix as a chain of cores: <c>W[o_1..o_L, i_1..i_L] = A_1[o_1, i_1] A_2[o_2, i_2] ... A_L[o_L, i_L]</c>, each A_k[o, i] a matrix of left bond x right bond.
/// Immutable.
/// </summary>
public sealed class MatrixProductOperator : IDisposable
{
    private readonly Matrix<float>[] _cores;
    private readonly int[] _bonds;

    /// <summary>Takes the cores over.</summary>
    /// <param name="outputDimension">Rows of W; at most the product of the output factors.</param>
    /// <param name="inputDimension">Columns of W.</param>
    /// <param name="factors">The split over the sites.</param>
    /// <param name="bonds">r_0 = 1, ..., r_L = 1.</param>
    /// <param name="cores">Core k as a matrix [r_(k-1) m_k, n_k r_k].</param>
    /// <param name="relativeError">||W - W'|| / ||W|| of the matrix that it was made of.</param>
    internal MatrixProductOperator(int outputDimension, int inputDimension, SiteFactors factors, int[] bonds, Matrix<float>[] cores, double relativeError)
    {
        OutputDimension = outputDimension;
        InputDimension = inputDimension;
        Factors = factors;
        RelativeError = relativeError;
        _bonds = bonds;
        _cores = cores;
    }

    /// <summary>Rows of W.</summary>
    public int OutputDimension { get; }

    /// <summary>Columns of W.</summary>
    public int InputDimension { get; }

    /// <summary>The split of rows and columns over the sites.</summary>
    public SiteFactors Factors { get; }

    /// <summary>Bond dimensions r_0 = 1, r_1, ..., r_L = 1.</summary>
    public IReadOnlyList<int> BondDimensions => _bonds;

    /// <summary>Cores, each [leftBond, output, input, rightBond] in row-major order, as a matrix of leftBond x output rows.</summary>
    public IReadOnlyList<Matrix<float>> Cores => _cores;

    /// <summary>Elements of all cores.</summary>
    public long ParameterCount => Factors.ParameterCount(_bonds);

    /// <summary>||W - W'|| / ||W|| (Frobenius) of the matrix W that it was made of; 0 if W was zero.</summary>
    public double RelativeError { get; }

    /// <summary>Multiplies the cores out.</summary>
    /// <param name="destination">[output, input], overwritten.</param>
    /// <exception cref="ArgumentException">The shape does not fit.</exception>
    public void ToDense(MatrixView<float> destination)
    {
        if (destination.Rows != OutputDimension || destination.Columns != InputDimension)
            throw new ArgumentException($"The operator is {OutputDimension} x {InputDimension}, not {destination.Rows} x {destination.Columns}.", nameof(destination));
        double[] wide = new double[InputDimension];
        for (int row = 0; row < OutputDimension; row++)
        {
            ContractRow(row, wide);
            Span<float> narrow = destination.Row(row);
            for (int i = 0; i < wide.Length; i++) narrow[i] = (float)wide[i];
        }
    }

    /// <summary>The same operator with <see cref="RelativeError"/> measured; it shares the cores.</summary>
    /// <param name="weights">What it approximates.</param>
    /// <param name="pool">Threads; sums are per row, then over the rows in order.</param>
    internal MatrixProductOperator MeasuredAgainst(MatrixView<float> weights, ComputePool pool)
    {
        double[] errors = new double[OutputDimension], squares = new double[OutputDimension];
        pool.For(OutputDimension, 4, (start, end) =>
        {
            double[] contracted = new double[InputDimension];
            for (int row = (int)start; row < end; row++)
            {
                ContractRow(row, contracted);
                ReadOnlySpan<float> exact = weights.Row(row);
                for (int i = 0; i < exact.Length; i++)
                {
                    double difference = exact[i] - contracted[i];
                    errors[row] += difference * difference;
                    squares[row] += (double)exact[i] * exact[i];
                }
            }
        });
        double square = squares.Sum();
        return new MatrixProductOperator(OutputDimension, InputDimension, Factors, _bonds, _cores, square == 0 ? 0 : Math.Sqrt(errors.Sum() / square));
    }

    /// <summary>Frees the cores.</summary>
    public void Dispose()
    {
        foreach (Matrix<float> core in _cores) core.Dispose();
    }

    /// <summary>One row of W, in double.</summary>
    private void ContractRow(int row, Span<double> destination)
    {
        double[] state = [1]; // [I, l]: I = (i_1 .. i_k) so far, l the open bond
        int rest = Factors.OutputDimension;
        for (int site = 0; site < _cores.Length; site++)
        {
            rest /= Factors.Outputs[site];
            (int output, row) = Math.DivRem(row, rest);
            Matrix<float> core = _cores[site];
            int outputs = Factors.Outputs[site];
            state = RowContraction.Append(state, _bonds[site], (int)core.Columns, left => core.Row(left * outputs + output));
        }

        state.AsSpan(0, destination.Length).CopyTo(destination);
    }
}
