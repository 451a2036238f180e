using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary>
/// What the solver approximates: T = diag(sqrt d) W diag(sqrt h), scaled to a mean square of 1, where h is the diagonal of the inputs' second moment H and d the importance of outputs. With the full
/// second moment the metric is <c>diag(h)^-1/2 H diag(h)^-1/2 = Q diag(w) Q^T</c>, whose diagonal is 1: errors E count as |E Q diag(sqrt w)|^2.
/// </summary>
internal sealed class DbfTarget : IDisposable
{
    /// <summary>Added to the second moment, over its mean diagonal: for inputs that were never active.</summary>
    private const double Ridge = 1e-6;

    private readonly double[]? _inputScales;
    private readonly double[]? _outputScales;
    private readonly double _unit;

    /// <summary>Weighs a matrix.</summary>
    /// <param name="weights">W, [m, n], finite; read here.</param>
    /// <param name="statistics">H and d; null for the Frobenius norm.</param>
    /// <param name="diagonalShare">How far H is shrunk towards its diagonal; 1 for the diagonal alone.</param>
    /// <param name="pool">Threads.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <exception cref="ArgumentException">H is not positive semi-definite.</exception>
    public DbfTarget(MatrixView<float> weights, LayerStatistics? statistics, double diagonalShare, ComputePool pool, CancellationToken cancellationToken)
    {
        _outputScales = statistics?.OutputScales();
        if (statistics is not null)
        {
            using Matrix<double> moment = statistics.Shrunk(diagonalShare, Ridge);
            MatrixScale.DiagonalNearOne(moment.View);
            _inputScales = new double[moment.Rows];
            for (int i = 0; i < _inputScales.Length; i++) _inputScales[i] = Math.Sqrt(moment[i, i]);
            if (diagonalShare < 1) Metric = DbfMetric.Decompose(Normalize(moment), pool, cancellationToken);
        }

        Values = new Matrix<float>(weights.Rows, weights.Columns);
        double largest = 0, sum = 0;
        for (nint i = 0; i < weights.Rows; i++)
        {
            ReadOnlySpan<float> row = weights.Row(i);
            for (int j = 0; j < row.Length; j++) largest = Math.Max(largest, Math.Abs(row[j] * Scale(i, j)));
        }

        for (nint i = 0; i < weights.Rows; i++)
        {
            ReadOnlySpan<float> row = weights.Row(i);
            for (int j = 0; j < row.Length; j++) sum += largest == 0 ? 0 : Square(row[j] * Scale(i, j) / largest);
        }

        _unit = largest == 0 ? 1 : largest * Math.Sqrt(sum / ((double)weights.Rows * weights.Columns));
        for (nint i = 0; i < weights.Rows; i++)
        {
            ReadOnlySpan<float> row = weights.Row(i);
            for (int j = 0; j < row.Length; j++) Values[i, j] = (float)(row[j] * Scale(i, j) / _unit);
        }

        Whitened = Metric is null ? Values : Metric.Whiten(Values.View, pool);
        for (nint i = 0; i < Whitened.Rows; i++) SquaredNorm += DoubleVectors.SquaredNorm(Whitened.Row(i));
    }

    /// <summary>T, [m, n].</summary>
    public Matrix<float> Values { get; }

    /// <summary>T Q diag(sqrt w), or T itself, [m, n].</summary>
    public Matrix<float> Whitened { get; }

    /// <summary>|T|^2 in the metric.</summary>
    public double SquaredNorm { get; }

    /// <summary>The metric; null where it is the Frobenius norm.</summary>
    public DbfMetric? Metric { get; }

    /// <summary>Takes the weighing off the scales of a factorisation of T, and spreads their norms evenly, so that sixteen bits hold them.</summary>
    public void Unweigh(Span<double> outputScale, Span<double> middleScale, Span<double> inputScale)
    {
        for (int i = 0; i < outputScale.Length; i++) outputScale[i] /= _outputScales?[i] ?? 1;
        for (int i = 0; i < inputScale.Length; i++) inputScale[i] /= _inputScales?[i] ?? 1;
        double output = RootMeanSquare(outputScale), middle = RootMeanSquare(middleScale) * _unit, input = RootMeanSquare(inputScale);
        double even = Math.Cbrt(output) * Math.Cbrt(middle) * Math.Cbrt(input);
        TensorPrimitives.Multiply(outputScale, output == 0 ? 0 : even / output, outputScale);
        TensorPrimitives.Multiply(middleScale, middle == 0 ? 0 : even / middle * _unit, middleScale);
        TensorPrimitives.Multiply(inputScale, input == 0 ? 0 : even / input, inputScale);
    }

    /// <summary>Puts the weighing back on scales that <see cref="Unweigh"/> took it off.</summary>
    public void Weigh(Span<double> outputScale, Span<double> middleScale, Span<double> inputScale)
    {
        for (int i = 0; i < outputScale.Length; i++) outputScale[i] *= _outputScales?[i] ?? 1;
        for (int i = 0; i < inputScale.Length; i++) inputScale[i] *= _inputScales?[i] ?? 1;
        TensorPrimitives.Divide(middleScale, _unit, middleScale);
    }

    /// <summary>A hash of the target, its metric, and what else matters.</summary>
    public byte[] Identity(string rest)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{Values.Rows} {Values.Columns} {rest}"));
        for (nint i = 0; i < Values.Rows; i++) hash.AppendData(MemoryMarshal.AsBytes(Whitened.Row(i)));
        return hash.GetHashAndReset();
    }

    public void Dispose()
    {
        if (!ReferenceEquals(Whitened, Values)) Whitened.Dispose();
        Values.Dispose();
        Metric?.Dispose();
    }

    private double Scale(nint row, int column) => (_outputScales?[row] ?? 1) * (_inputScales?[column] ?? 1);

    private Matrix<double> Normalize(Matrix<double> moment)
    {
        var normalized = new Matrix<double>(moment.Rows, moment.Columns);
        for (int i = 0; i < _inputScales!.Length; i++)
        {
            for (int j = 0; j < _inputScales.Length; j++) normalized[i, j] = moment[i, j] / (_inputScales[i] * _inputScales[j]);
        }

        return normalized;
    }

    private static double RootMeanSquare(ReadOnlySpan<double> values) => Math.Sqrt(DoubleVectors.Dot(values, values) / values.Length);

    private static double Square(double value) => value * value;
}
