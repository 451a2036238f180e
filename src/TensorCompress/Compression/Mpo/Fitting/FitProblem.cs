using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>A matrix to be fitted by a chain: its split over the sites and the order of its elements as a tensor.</summary>
internal sealed class FitProblem
{
    private readonly MatrixView<float> _weights;

    public FitProblem(MatrixView<float> weights, SiteFactors factors, ComputePool pool)
    {
        _weights = weights;
        Factors = factors;
        Pool = pool;
        Unfolding = new SiteUnfolding(factors);
    }

    /// <summary>The same matrix with another split.</summary>
    public FitProblem With(SiteFactors factors) => new(_weights, factors, Pool);

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
