using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>A matrix to be fitted by a chain: its split over the sites and the order of its elements as a tensor.</summary>
internal sealed class FitProblem
{
    private readonly MatrixView<float> _weights;
    private readonly double[]? _outputScales;

    /// <summary>Takes a matrix, its split and what is known of its outputs.</summary>
    /// <param name="weights">W.</param>
    /// <param name="factors">The split.</param>
    /// <param name="pool">Threads.</param>
    /// <param name="outputScales">sqrt(d) of each row of W, above 0; null where all outputs matter alike.</param>
    public FitProblem(MatrixView<float> weights, SiteFactors factors, ComputePool pool, double[]? outputScales = null)
    {
        _weights = weights;
        Factors = factors;
        Pool = pool;
        Unfolding = new SiteUnfolding(factors);
        _outputScales = outputScales;
        if (outputScales is null || outputScales.All(scale => scale == outputScales[0])) return;
        // The rows of the padding matter as outputs do on average.
        OutputWeights = [.. outputScales.Select(scale => scale * scale), .. Enumerable.Repeat(1.0, factors.OutputDimension - outputScales.Length)];
    }

    /// <summary>The same matrix with another split.</summary>
    public FitProblem With(SiteFactors factors) => new(_weights, factors, Pool, _outputScales);

    /// <summary>d of each row, padded; null where all outputs matter alike.</summary>
    public double[]? OutputWeights { get; }

    /// <summary>Rows of W, without padding.</summary>
    public int Rows => (int)_weights.Rows;

    /// <summary>Columns of W, without padding.</summary>
    public int Columns => (int)_weights.Columns;

    public SiteFactors Factors { get; }

    public ComputePool Pool { get; }

    public SiteUnfolding Unfolding { get; }

    /// <summary>W in double, padded with zeros to the products of the factors.</summary>
    public Matrix<double> PaddedWeights()
    {
        var padded = new Matrix<double>(Factors.OutputDimension, Factors.InputDimension);
        for (nint row = 0; row < _weights.Rows; row++)
        {
            ReadOnlySpan<float> source = _weights.Row(row);
            Span<double> destination = padded.Row(row);
            for (int i = 0; i < source.Length; i++) destination[i] = source[i];
        }

        return padded;
    }

    /// <summary>W as [o_1 i_1, o_2 i_2 ... o_L i_L].</summary>
    public Matrix<double> Unfold()
    {
        using Matrix<double> padded = PaddedWeights();
        return Unfolding.Unfold(padded.View, Pool);
    }

    /// <summary>Multiplies each row by d: what the metric of the outputs does.</summary>
    public void WeightRows(Matrix<double> rows)
    {
        for (int row = 0; row < (OutputWeights?.Length ?? 0); row++) DoubleVectors.Scale(OutputWeights![row], rows.Row(row));
    }

    /// <summary>H with a ridge, of mean diagonal 1, padded: channels that W does not have are never active but for the ridge.</summary>
    /// <param name="statistics">H.</param>
    /// <param name="ridge">In units of the mean diagonal.</param>
    public Matrix<double> Metric(LayerStatistics statistics, double ridge)
    {
        using Matrix<double> shrunk = statistics.Shrunk(0, ridge);
        double mean = 0;
        for (int i = 0; i < shrunk.Rows; i++) mean += shrunk[i, i] / shrunk.Rows;
        var metric = new Matrix<double>(Factors.InputDimension, Factors.InputDimension);
        for (int i = 0; i < metric.Rows; i++)
        {
            Span<double> row = metric.Row(i);
            if (i >= shrunk.Rows)
            {
                row[i] = ridge;
                continue;
            }

            ReadOnlySpan<double> source = shrunk.Row(i);
            for (int j = 0; j < source.Length; j++) row[j] = source[j] / mean;
        }

        return metric;
    }
}
