using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>How much compressed forms of one matrix err: the squared error of rows, or of outputs where inputs are known, over their squared norm.</summary>
internal sealed class QetError
{
    private readonly MatrixView<float> _values;
    private readonly LayerStatistics? _statistics;
    private readonly ComputePool _pool;
    private readonly double _norm;

    /// <summary>Measures the matrix.</summary>
    /// <param name="values">Finite.</param>
    /// <param name="statistics">Of the inputs that rows are multiplied with; null for the error of the rows.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    public QetError(MatrixView<float> values, LayerStatistics? statistics, ComputePool pool)
    {
        (_values, _statistics, _pool) = (values, statistics, pool);
        _norm = statistics?.OutputEnergies(values, pool).Sum() ?? 0;
        if (statistics is not null) return;
        for (nint row = 0; row < values.Rows; row++) _norm += DoubleVectors.SquaredNorm(values.Row(row));
    }

    /// <summary>The squared error of rows.</summary>
    public static double Squared(MatrixView<float> values, QetTensor tensor, ComputePool pool)
    {
        using Matrix<float> decoded = Decoded(tensor, pool);
        return Squared(values, decoded.View);
    }

    /// <summary>The squared distance of two matrices.</summary>
    public static double Squared(MatrixView<float> values, MatrixView<float> decoded)
    {
        double sum = 0;
        for (nint row = 0; row < values.Rows; row++)
        {
            ReadOnlySpan<float> exact = values.Row(row), other = decoded.Row(row);
            for (int k = 0; k < exact.Length; k++) sum += ((double)exact[k] - other[k]) * ((double)exact[k] - other[k]);
        }

        return sum;
    }

    /// <summary>The relative error; infinite where it is not a number.</summary>
    public double Of(QetTensor tensor)
    {
        using Matrix<float> decoded = Decoded(tensor, _pool);
        return Of(decoded.View);
    }

    /// <summary>The same of a matrix that is decoded.</summary>
    public double Of(MatrixView<float> decoded)
    {
        double error = _statistics?.ErrorEnergy(_values, decoded, _pool) ?? Squared(_values, decoded);
        double relative = _norm > 0 ? Math.Max(0, error) / _norm : error > 0 ? double.PositiveInfinity : error; // zeros, or not a number
        return double.IsNaN(relative) ? double.PositiveInfinity : relative;
    }

    private static Matrix<float> Decoded(QetTensor tensor, ComputePool pool)
    {
        var decoded = new Matrix<float>(tensor.Plan.Rows, tensor.Plan.Columns);
        QetCodec.Decompress(tensor, decoded.View, pool);
        return decoded;
    }
}
