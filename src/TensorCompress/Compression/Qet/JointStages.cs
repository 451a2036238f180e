using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// Consecutive stages without swaps as one code: codes of all of them are searched together (<see cref="GroupSearch"/>), then each codebook moves to the means of what the others leave it, and so in turns
/// (additive quantisation, Babenko and Lempitsky 2014; stages are found as residual quantisation finds them). What erred least is kept, and the first is what stage after stage gave.
/// </summary>
internal sealed class JointStages
{
    private const int Rounds = 4;

    /// <summary>A round that takes less off, relative to the error, is the last.</summary>
    private const double WorthARound = 2e-3;

    private readonly QetPlan _plan;
    private readonly int _first, _groups, _length;
    private readonly QetMetric? _metric;
    private readonly ComputePool _pool;
    private readonly MatrixView<float> _rows;
    private readonly CancellationToken _cancellationToken;

    /// <param name="rows">What the stages are for: the rows less those before.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="first">The first of the stages; none from there on has swaps.</param>
    /// <param name="metric">What errors count; null where all count alike.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at between rounds and within.</param>
    public JointStages(MatrixView<float> rows, QetPlan plan, int first, QetMetric? metric, ComputePool pool, CancellationToken cancellationToken)
    {
        (_rows, _plan, _first, _metric, _pool, _cancellationToken) = (rows, plan, first, metric, pool, cancellationToken);
        (_groups, _length) = (plan.Options.Subspaces, plan.SubvectorLength);
    }

    private int Count => _plan.Centroids.Count - _first;

    private int[] Centroids => [.. _plan.Centroids.Skip(_first)];

    /// <summary>Whether stages from one on can be searched together.</summary>
    public static bool Allows(QetPlan plan, int first) => plan.Options.Stages.Skip(first).All(stage => stage.SwapLayers == 0);

    /// <summary>Fits codebooks and codes further.</summary>
    /// <param name="stages">What was found stage after stage.</param>
    public QetEncodedStage[] Improve(QetEncodedStage[] stages)
    {
        QetCodebook[] best = [.. stages.Select(stage => stage.Codebook)], codebooks = [.. best];
        int[][] bestCodes = [.. stages.Select(CodesOf)];
        double least = Error(Decoded(best), bestCodes);
        for (int round = 0; round < Rounds; round++)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            float[][] centroids = Decoded(codebooks);
            (int[][] codes, double error) = Search(centroids);
            double before = least;
            if (error < least) (best, bestCodes, least) = ([.. codebooks], codes, error);
            if (round == Rounds - 1 || (round > 0 && error > (1 - WorthARound) * before)) break;
            for (int stage = 0; stage < Count; stage++)
            {
                codebooks[stage] = Refit(stage, centroids, codes);
                codebooks[stage].Decode(0, centroids[stage]);
            }
        }

        return Encoded(best, bestCodes);
    }

    /// <summary>Searches codes for codebooks that stay.</summary>
    public QetEncodedStage[] Encode(QetCodebook[] codebooks) => Encoded(codebooks, Search(Decoded(codebooks)).Codes);

    /// <summary>Codes by error feedback in the whole second moment, for codebooks that stay; what was there where that is better.</summary>
    public QetEncodedStage[] FeedBack(QetEncodedStage[] stages, QetMetric metric)
    {
        QetCodebook[] codebooks = [.. stages.Select(stage => stage.Codebook)];
        float[][] centroids = Decoded(codebooks);
        GroupSearch[] searches = [.. Enumerable.Range(0, _groups).Select(group => SearchOf(group, centroids))];
        int[][] codes = EmptyCodes(), before = [.. stages.Select(CodesOf)];
        using Matrix<float> rounded = new(_rows.Rows, _rows.Columns), plain = new(_rows.Rows, _rows.Columns);
        metric.Feedback.Run(_rows, (row, column, values, destination) =>
        {
            int group = column / _length;
            Span<int> found = stackalloc int[codes.Length];
            searches[group].Find(values, found);
            destination.Clear();
            for (int stage = 0; stage < found.Length; stage++)
            {
                codes[stage][row * _groups + group] = found[stage];
                Add(centroids[stage], stage, group, found[stage], destination);
            }
        }, rounded.View, _cancellationToken);
        for (int row = 0; row < (int)_rows.Rows; row++)
        {
            plain.Row(row).Clear();
            for (int group = 0; group < _groups; group++)
            {
                for (int stage = 0; stage < Count; stage++) Add(centroids[stage], stage, group, before[stage][row * _groups + group], plain.Row(row).Slice(group * _length, _length));
            }
        }

        return metric.Error(_rows, rounded.View) < metric.Error(_rows, plain.View) ? Encoded(codebooks, codes) : stages;
    }

    private static float[][] Decoded(QetCodebook[] codebooks) => [.. codebooks.Select(codebook =>
    {
        float[] centroids = new float[codebook.Count];
        codebook.Decode(0, centroids);
        return centroids;
    })];

    private int[][] EmptyCodes() => [.. Enumerable.Range(0, Count).Select(_ => new int[_rows.Rows * _groups])];

    private GroupSearch SearchOf(int group, float[][] centroids) => new(centroids, Centroids, group, _length, _metric?.ScalesOf(group), _plan.Options.BeamWidth);

    private double WeightOf(nint row) => _metric?.RowWeights is { } weights ? weights[row] : 1;

    private int[] CodesOf(QetEncodedStage stage)
    {
        int[] codes = new int[_rows.Rows * _groups];
        for (int i = 0; i < codes.Length; i++) codes[i] = stage.Code(0, 0, i);
        return codes;
    }

    private void Add(float[] centroids, int stage, int group, int code, Span<float> destination)
    {
        ReadOnlySpan<float> centroid = centroids.AsSpan((group * _plan.Centroids[_first + stage] + code) * _length, _length);
        for (int k = 0; k < centroid.Length; k++) destination[k] += centroid[k];
    }

    private (int[][] Codes, double Error) Search(float[][] centroids)
    {
        int[][] codes = EmptyCodes();
        double[] errors = new double[_rows.Rows];
        for (int group = 0; group < _groups; group++)
        {
            GroupSearch search = SearchOf(group, centroids);
            _cancellationToken.ThrowIfCancellationRequested();
            _pool.For(_rows.Rows, 8, (start, end) =>
            {
                Span<int> found = stackalloc int[codes.Length];
                for (nint row = start; row < end; row++)
                {
                    errors[row] += WeightOf(row) * search.Find(_rows.Row(row).Slice(group * _length, _length), found);
                    for (int stage = 0; stage < found.Length; stage++) codes[stage][row * _groups + group] = found[stage];
                }
            });
        }

        return (codes, errors.Sum());
    }

    private double Error(float[][] centroids, int[][] codes)
    {
        double[] errors = new double[_rows.Rows];
        _pool.For(_rows.Rows, 8, (start, end) =>
        {
            float[] sum = new float[_length];
            for (nint row = start; row < end; row++)
            {
                for (int group = 0; group < _groups; group++)
                {
                    Array.Clear(sum);
                    for (int stage = 0; stage < Count; stage++) Add(centroids[stage], stage, group, codes[stage][row * _groups + group], sum);
                    ReadOnlySpan<float> values = _rows.Row(row).Slice(group * _length, _length);
                    float[]? scales = _metric?.ScalesOf(group);
                    for (int k = 0; k < sum.Length; k++)
                    {
                        double difference = ((double)values[k] - sum[k]) * (scales is null ? 1 : scales[k]);
                        errors[row] += WeightOf(row) * difference * difference;
                    }
                }
            }
        });
        return errors.Sum();
    }

    /// <summary>The means of what the other stages leave; a centroid that no row has stays.</summary>
    private QetCodebook Refit(int stage, float[][] centroids, int[][] codes)
    {
        int count = _plan.Centroids[_first + stage];
        float[] moved = [.. centroids[stage]];
        _pool.For(_groups, 1, (start, end) =>
        {
            float[] others = new float[_length];
            for (int group = (int)start; group < (int)end; group++)
            {
                double[] sums = new double[count * _length], totals = new double[count];
                for (nint row = 0; row < _rows.Rows; row++)
                {
                    nint place = row * _groups + group;
                    Array.Clear(others);
                    for (int other = 0; other < Count; other++) if (other != stage) Add(centroids[other], other, group, codes[other][place], others);
                    int code = codes[stage][place];
                    double weight = WeightOf(row);
                    totals[code] += weight;
                    ReadOnlySpan<float> values = _rows.Row(row).Slice(group * _length, _length);
                    for (int k = 0; k < others.Length; k++) sums[code * _length + k] += weight * ((double)values[k] - others[k]);
                }

                for (int i = 0; i < sums.Length; i++) if (totals[i / _length] > 0) moved[group * sums.Length + i] = (float)(sums[i] / totals[i / _length]);
            }
        });
        return QetCodebook.Round(moved, _plan, _first + stage);
    }

    private QetEncodedStage[] Encoded(QetCodebook[] codebooks, int[][] codes) => [.. codebooks.Select((codebook, stage) =>
        new QetEncodedStage([], QetEncoder.Pack(codes[stage], _plan.CodeBits(_first + stage)), codebook, 0, _plan.CodeBits(_first + stage), _plan.Centroids[_first + stage]))];
}
