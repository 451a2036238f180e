using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <summary>
/// A matrix as a chain of cores: <c>W[o_1..o_L, i_1..i_L] = 2^e A_1[o_1, i_1] A_2[o_2, i_2] ... A_L[o_L, i_L]</c>, each A_k[o, i] a matrix of left bond x right bond.
/// Immutable. Sums, products, norms and truncations work on the cores; the matrix is built by <see cref="ToDense"/> alone.
/// </summary>
/// <remarks>The exponent e keeps chains of many tiny or huge cores clear of underflow and overflow: 1e-30 and 1e30 are as good as 1.</remarks>
public sealed partial class MatrixProductOperator : IDisposable
{
    private readonly Matrix<double>[] _cores;
    private readonly int[] _bonds;

    /// <summary>Takes the cores over.</summary>
    /// <param name="outputDimension">Rows of W; at most the product of the output factors.</param>
    /// <param name="inputDimension">Columns of W.</param>
    /// <param name="factors">The split over the sites.</param>
    /// <param name="bonds">r_0 = 1, ..., r_L = 1.</param>
    /// <param name="cores">Core k as a matrix [r_(k-1) m_k, n_k r_k].</param>
    /// <param name="scaleExponent">e.</param>
    internal MatrixProductOperator(int outputDimension, int inputDimension, SiteFactors factors, int[] bonds, Matrix<double>[] cores, int scaleExponent = 0)
    {
        OutputDimension = outputDimension;
        InputDimension = inputDimension;
        Factors = factors;
        ScaleExponent = scaleExponent;
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
    public IReadOnlyList<Matrix<double>> Cores => _cores;

    /// <summary>The exponent e of the factor 2^e before the product of the cores.</summary>
    public int ScaleExponent { get; }

    /// <summary>The site whose core is free while those to its left are left-orthogonal and those to its right right-orthogonal; null where no such form is known.</summary>
    public int? OrthogonalityCenter { get; internal init; }

    /// <summary>Elements of all cores.</summary>
    public long ParameterCount => Factors.ParameterCount(_bonds);

    /// <summary>
    /// ||W - W'|| / ||W|| (Frobenius) of the matrix W that it was made of, measured; 0 if W was zero. Null where it is not known: operators that were made of cores, or of others by sums, products or
    /// <see cref="Round"/>.
    /// </summary>
    public double? RelativeError { get; internal set; }

    /// <summary>
    /// The error that the singular values say which truncation left out, <c>sqrt(sum of their squares) / ||W||</c>, W being the matrix of a TT-SVD or the operator before <see cref="Round"/>. Without padding it
    /// is the error itself, not only a bound: each truncation is orthogonal to those before it. With padding it is a bound. Other forms of the operator keep it (<see cref="Canonical"/>, <see cref="Balanced"/>,
    /// <see cref="Scale"/>, <see cref="Transpose"/>). Null where nothing says it: fits of the outputs, whose truncation is in other coordinates, sums, products, given and stored cores.
    /// </summary>
    public double? DiscardedError { get; internal set; }

    /// <summary>Makes an operator of cores.</summary>
    /// <param name="outputDimension">Rows of W.</param>
    /// <param name="inputDimension">Columns of W.</param>
    /// <param name="factors">The split over the sites.</param>
    /// <param name="bonds">r_0 = 1, ..., r_L = 1.</param>
    /// <param name="cores">One for each site, [r_(k-1) m_k, n_k r_k]; copied.</param>
    /// <exception cref="ArgumentException">Factors, bonds and cores do not fit each other or the matrix, a core is null, or an element is NaN or infinite.</exception>
    public static MatrixProductOperator FromCores(int outputDimension, int inputDimension, SiteFactors factors, IReadOnlyList<int> bonds, IReadOnlyList<Matrix<double>> cores)
    {
        ArgumentNullException.ThrowIfNull(factors);
        ArgumentNullException.ThrowIfNull(bonds);
        ArgumentNullException.ThrowIfNull(cores);
        factors.ThrowIfUnfit(outputDimension, inputDimension);
        if (bonds.Count != factors.Sites + 1 || bonds[0] != 1 || bonds[^1] != 1 || bonds.Any(bond => bond < 1))
            throw new ArgumentException($"{factors.Sites} sites have {factors.Sites + 1} bonds, the outer ones 1, not {string.Join(", ", bonds)}.", nameof(bonds));
        if (cores.Count != factors.Sites) throw new ArgumentException($"{factors.Sites} sites have as many cores, not {cores.Count}.", nameof(cores));
        for (int site = 0; site < cores.Count; site++)
        {
            (nint rows, nint columns) = ((nint)bonds[site] * factors.Outputs[site], (nint)factors.Inputs[site] * bonds[site + 1]);
            if (cores[site] is null) throw new ArgumentException($"Core {site} is null.", nameof(cores));
            if (cores[site].Rows != rows || cores[site].Columns != columns)
                throw new ArgumentException($"Core {site} is {rows} x {columns}, not {cores[site].Rows} x {cores[site].Columns}.", nameof(cores));
            for (nint row = 0; row < rows; row++)
            {
                foreach (double value in cores[site].Row(row))
                {
                    if (!double.IsFinite(value)) throw new ArgumentException($"An element of core {site} is {value}.", nameof(cores));
                }
            }
        }

        return new MatrixProductOperator(outputDimension, inputDimension, factors, [.. bonds], [.. cores.Select(CoreViews.Copy)]);
    }

    /// <summary>Multiplies the cores out.</summary>
    /// <param name="destination">[output, input], overwritten.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <exception cref="ArgumentException">The shape does not fit.</exception>
    public void ToDense(MatrixView<float> destination, ComputePool? pool = null)
    {
        if (destination.Rows != OutputDimension || destination.Columns != InputDimension)
            throw new ArgumentException($"The operator is {OutputDimension} x {InputDimension}, not {destination.Rows} x {destination.Columns}.", nameof(destination));
        (pool ?? ComputePool.Shared).For(OutputDimension, 4, (start, end) =>
        {
            double[] wide = new double[InputDimension];
            for (nint row = start; row < end; row++)
            {
                ContractRow((int)row, wide);
                Span<float> narrow = destination.Row(row);
                for (int i = 0; i < wide.Length; i++) narrow[i] = (float)wide[i];
            }
        });
    }

    /// <summary>y = W x, core by core.</summary>
    /// <param name="input">As many as W has columns.</param>
    /// <returns>As many as W has rows.</returns>
    /// <exception cref="ArgumentException">The length is another.</exception>
    public double[] Apply(ReadOnlySpan<double> input)
    {
        if (input.Length != InputDimension) throw new ArgumentException($"The operator takes {InputDimension} inputs, not {input.Length}.", nameof(input));
        // State [done outputs O, left bond l, inputs to come I]; a site takes its input digit and bond and gives its output digit and the next bond.
        double[] state = new double[Factors.InputDimension];
        input.CopyTo(state);
        int done = 1, coming = Factors.InputDimension;
        for (int site = 0; site < _cores.Length; site++)
        {
            (int left, int outputs, int inputs, int right) = Shape(site);
            coming /= inputs;
            double[] next = new double[(long)done * outputs * right * coming];
            for (int d = 0; d < done; d++)
            {
                for (int row = 0; row < left * outputs; row++)
                {
                    (int l, int o) = Math.DivRem(row, outputs);
                    ReadOnlySpan<double> core = _cores[site].Row(row);
                    for (int i = 0; i < inputs; i++)
                    {
                        ReadOnlySpan<double> from = state.AsSpan(((d * left + l) * inputs + i) * coming, coming);
                        for (int r = 0; r < right; r++) DoubleVectors.AddScaled(core[i * right + r], from, next.AsSpan(((d * outputs + o) * right + r) * coming, coming));
                    }
                }
            }

            state = next;
            done *= outputs;
        }

        double[] result = state[..OutputDimension];
        for (int o = 0; o < result.Length; o++) result[o] = Math.ScaleB(result[o], ScaleExponent);
        return result;
    }

    /// <summary>Frees the cores.</summary>
    public void Dispose()
    {
        foreach (Matrix<double> core in _cores) core.Dispose();
    }

    /// <summary>Measures <see cref="RelativeError"/>.</summary>
    /// <param name="weights">What it approximates.</param>
    /// <param name="pool">Threads; sums are per row, then over the rows in order.</param>
    internal void MeasureError(MatrixView<float> weights, ComputePool pool)
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
        RelativeError = square == 0 ? 0 : Math.Sqrt(errors.Sum() / square);
    }

    /// <summary>The same cores once more.</summary>
    internal MatrixProductOperator Copy() =>
        Keep(new MatrixProductOperator(OutputDimension, InputDimension, Factors, [.. _bonds], [.. _cores.Select(CoreViews.Copy)], ScaleExponent) { OrthogonalityCenter = OrthogonalityCenter });

    /// <summary>Left bond, output digits, input digits and right bond of a core.</summary>
    internal (int Left, int Outputs, int Inputs, int Right) Shape(int site) => (_bonds[site], Factors.Outputs[site], Factors.Inputs[site], _bonds[site + 1]);

    /// <summary>One row of W, in double.</summary>
    private void ContractRow(int row, Span<double> destination)
    {
        double[] state = [1]; // [I, l]: I = (i_1 .. i_k) so far, l the open bond
        int rest = Factors.OutputDimension;
        for (int site = 0; site < _cores.Length; site++)
        {
            rest /= Factors.Outputs[site];
            (int output, row) = Math.DivRem(row, rest);
            Matrix<double> core = _cores[site];
            int outputs = Factors.Outputs[site], width = (int)core.Columns, bond = _bonds[site], positions = state.Length / bond;
            double[] next = new double[checked(positions * width)];
            for (int l = 0; l < bond; l++)
            {
                ReadOnlySpan<double> slice = core.Row(l * outputs + output);
                for (int position = 0; position < positions; position++)
                    DoubleVectors.AddScaled(state[position * bond + l], slice, next.AsSpan(position * width, width));
            }

            state = next;
        }

        for (int i = 0; i < destination.Length; i++) destination[i] = ScaleExponent == 0 ? state[i] : Math.ScaleB(state[i], ScaleExponent);
    }
}
