using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>
/// Spends a budget of bytes by a race. Rivals, which are plain product quantisation and two stages without swaps, shares equal or as published, at every width of column groups and with a few ways to round codebooks, have a
/// brief trial each; the best few of each kind, and the forms that a rule of thumb finds likeliest (swap layers, up to three stages), have a whole one on some of the columns. The best are improved by moving bits between
/// stages and codebooks. The best of each kind, every rival at every width that a few iterations do not leave far behind, the best behind Hadamard blocks and, where its bytes are within the budget, those behind a learnt rotation (plain product
/// quantisation among them) compress the whole matrix, and the least error wins. In a small matrix all trials are of the whole, rivals with each way to round, but for widths that are surely behind; in a very large one the rivals of most widths have their trials alone.
/// </summary>
internal sealed class QetPlanner
{
    private const int MostTrials = 9, MostTrialsOfSmall = 24, MostTrialsOfRotated = 3, MostRivals = 4, MostHadamardTrials = 3, MostSwapLayers = 3, MostStages = 3, WidestGroup = 32, NarrowestBlocks = 8;

    /// <summary>Widths that are tried briefly with all codebook bits, rounds of improvements, and forms of a kind that compress the whole matrix.</summary>
    private const int MostWidths = 2, MostRounds = 2, MostFinalists = 3;

    /// <summary>
    /// A form whose trial erred so many times as much as that of the best of its kind does not compress the whole matrix. Trials of different widths see different columns, so what is best on the whole may be far behind in its
    /// trial.
    /// </summary>
    private const double Hopeless = 1.6;

    /// <summary>A rotation that makes the whole matrix's product quantisation so much worse is not tried further.</summary>
    private const double HopelessRotation = 1.2;

    /// <summary>Elements of a matrix whose rivals compress it at every width: a square matrix of 2048 has as many.</summary>
    private const long MostOfEveryWidth = 1L << 22;

    /// <summary>Bits of codebooks' numbers where a few trials say what to expect.</summary>
    private const int PromisingCodebookBits = 8;

    /// <summary>What further iterations of k-means may take off; in a small matrix, where nothing shall be missed.</summary>
    private const double Converging = 1.5, SurelyBehind = 2;

    private static readonly int[] CodebookBits = [16, 12, 10, 8, 6, 5, 4], FirstCodebookBits = [16, 10, 6], RivalCodebookBits = [16, 10, 8, 6];

    private static readonly double[][] RivalShares = [[1], [0.5, 0.5], [0.7, 0.3]];

    private readonly MatrixView<float> _values;
    private readonly QetMetrics? _metrics;
    private readonly QetError _error;
    private readonly long _maxBytes;
    private readonly ulong _seed;
    private readonly ComputePool _pool;
    private readonly CancellationToken _cancellationToken;

    /// <summary>Codebooks are much of a small matrix, so how they are rounded decides on the width, and trials cost little: all roundings at every width and more forms have one.</summary>
    private readonly bool _isSmall;

    private readonly Dictionary<QetPlan, double> _competed = [];
    private QetTensor? _best;

    private QetPlanner(MatrixView<float> values, long maxBytes, ulong seed, QetMetrics? metrics, ComputePool pool, CancellationToken cancellationToken) =>
        (_values, _maxBytes, _seed, _metrics, _error, _pool, _cancellationToken, _isSmall) = (values, maxBytes, seed, metrics, new QetError(values, metrics?.Statistics, pool), pool, cancellationToken, QetTrials.IsSmall(values));

    /// <summary>Bytes of one centroid, whose numbers have the fewest bits: no plan takes less.</summary>
    public static long LeastBytes(nint rows, nint columns) => QetPlan.OfOneCentroid(rows, columns, new QetOptions(1, [new QetStageOptions(0, 1)], CodebookBits[^1])).StoredBytes;

    /// <summary>Compresses within a budget.</summary>
    /// <param name="values">Finite.</param>
    /// <param name="maxBytes">What may be stored.</param>
    /// <param name="seed">Chooses the rows that k-means begins with.</param>
    /// <param name="statistics">Of the inputs that rows are multiplied with: the error is that of outputs then; null for the squared error of the rows.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at between trials and within.</param>
    /// <exception cref="ArgumentException">Even one centroid is too much; the message says what it takes.</exception>
    public static QetTensor Compress(MatrixView<float> values, long maxBytes, ulong seed, LayerStatistics? statistics, ComputePool pool, CancellationToken cancellationToken)
    {
        statistics?.ThrowIfUnfit(values);
        using QetMetrics? metrics = statistics is null ? null : new QetMetrics(statistics, pool);
        return new QetPlanner(values, maxBytes, seed, metrics, pool, cancellationToken).Best();
    }

    /// <summary>About the least relative squared error that a few rivals have in brief trials on some columns: what fitted codebooks promise, in a hundredth of the time.</summary>
    public static double Promise(MatrixView<float> values, long maxBytes, ulong seed, ComputePool pool, CancellationToken cancellationToken)
    {
        var planner = new QetPlanner(values, maxBytes, seed, null, pool, cancellationToken);
        using var trials = new QetTrials(values, null, null, pool, cancellationToken) { Samples = true };
        IEnumerable<int> widths = planner.Widths().Where(width => width == values.Columns || int.IsPow2(width));
        IEnumerable<QetPlan> rivals = RivalShares[..2].SelectMany(shares => widths.SelectMany(width => planner.Roundings(shares, width, maxBytes, [PromisingCodebookBits], [false])));
        return rivals.Select(trials.BriefError).DefaultIfEmpty(double.PositiveInfinity).Min();
    }

    private QetTensor Best()
    {
        if (_maxBytes < LeastBytes(_values.Rows, _values.Columns)) throw TooFew();
        using QetTrials plain = Trials(null);
        QetCandidate[][] rivals = [.. RivalShares.Select(shares => _isSmall ? WholeRivals(shares) : Rivals(plain.BriefError, _maxBytes, shares))];
        QetCandidate[] tried = Planned(rivals, _isSmall ? Compete : plain.Error, _maxBytes, _isSmall ? MostTrialsOfSmall : MostTrials);
        foreach (QetPlan plan in Finalists(tried)) Compete(plan);
        if (!_isSmall && _values.Rows * (long)_values.Columns <= MostOfEveryWidth) EveryWidth();
        if (!CanRotate()) return _best!;
        BehindHadamardBlocks(tried);
        BehindLearntRotation(plain);
        return _best!;
    }

    /// <summary>Every rival of a small matrix that is not surely behind, the best first.</summary>
    private QetCandidate[] WholeRivals(double[] shares)
    {
        var tried = new List<QetCandidate>();
        IEnumerable<QetPlan[]> widths = Widths().Select(width => Roundings(shares, width, _maxBytes, CodebookBits, [false, true])).Where(roundings => roundings.Length > 0);
        foreach ((QetPlan[] roundings, double least) in widths.Select(roundings => (roundings, LeastError(roundings))).OrderBy(pair => pair.Item2))
        {
            if (!IsNear(least, SurelyBehind)) break;
            tried.AddRange(Ranked(roundings, StageAfterStage));
        }

        return [.. tried.OrderBy(candidate => candidate.Estimate)];
    }

    /// <summary>Every rival that a few iterations on the whole matrix do not leave far behind; one that wins is improved.</summary>
    private void EveryWidth()
    {
        QetTensor before = _best!;
        foreach (QetPlan[] roundings in RivalShares.SelectMany(shares => Widths().Select(width => Roundings(shares, width, _maxBytes, RivalCodebookBits, [false]))))
        {
            if (roundings.Length > 1 && !IsNear(LeastError(roundings), Converging)) continue;
            foreach (QetPlan whole in roundings.Select(WithoutBeam).Where(whole => !_competed.ContainsKey(whole) && IsNear(BriefError(whole), Converging))) Compete(whole);
        }

        if (_best == before) return;
        QetPlan winner = _best!.Plan.WithOptions(_best.Plan.Options with { BeamWidth = _best.Plan.Centroids.Count > 1 ? QetPlanForm.BeamWidth : 1 });
        Improved([new QetCandidate(winner, Compete(winner))], _ => true, Compete, _maxBytes);
    }

    /// <summary>What none of several ways to round the same codebooks comes below, about: a few iterations with the most centroids of any and the finest numbers of any, which no budget pays for.</summary>
    private double LeastError(QetPlan[] roundings) => BriefError(WithoutBeam(roundings[0].WithCentroids(roundings[^1].Centroids)));

    /// <summary>The error of the whole matrix after a few iterations.</summary>
    private double BriefError(QetPlan plan) => ErrorOf(plan.WithOptions(plan.Options with { Iterations = QetTrials.BriefIterations }), out _);

    /// <summary>Whether what errs so much after a few iterations may still come to be the best of the whole matrix, where the rest take off no more than a factor.</summary>
    private bool IsNear(double briefError, double factor) => _best is null || briefError <= factor * _competed[_best.Plan];

    /// <summary>Whether rotated rows are surely of magnitudes that are supported.</summary>
    private bool CanRotate()
    {
        double largest = 0;
        for (nint row = 0; row < _values.Rows; row++) largest = Math.Max(largest, Numerics.DoubleVectors.SquaredNorm(_values.Row(row)));
        return Math.Sqrt(largest) <= QetCodec.LargestMagnitude;
    }

    /// <summary>Compresses the whole matrix and remembers the best.</summary>
    private double Compete(QetPlan plan)
    {
        if (_competed.TryGetValue(plan, out double known)) return known;
        double error = ErrorOf(plan, out QetTensor tensor);
        if (_best is null || error < _competed[_best.Plan]) _best = tensor;
        _competed.Add(plan, error);
        return error;
    }

    private double ErrorOf(QetPlan plan, out QetTensor tensor)
    {
        tensor = QetCodec.CompressInMetric(_values, plan, _metrics, _pool, _cancellationToken);
        return _error.Of(tensor);
    }

    /// <summary>The same without a beam, which takes a fraction of the time.</summary>
    private double StageAfterStage(QetPlan plan) => Compete(WithoutBeam(plan));

    private static QetPlan WithoutBeam(QetPlan plan) => plan.WithOptions(plan.Options with { BeamWidth = 1 });

    private QetTrials Trials(RowRotation? rotation) => new(_values, rotation, _metrics?.Statistics, _pool, _cancellationToken);

    /// <summary>The candidates with what trials gave, the best first.</summary>
    private static QetCandidate[] Ranked(IEnumerable<QetPlan> plans, Func<QetPlan, double> error) => [.. plans.Distinct().Select(plan => new QetCandidate(plan, error(plan))).OrderBy(candidate => candidate.Estimate)];

    /// <summary>Tries what is promising and improves the best; the best first.</summary>
    private QetCandidate[] Planned(QetCandidate[][] rivals, Func<QetPlan, double> tryWhole, long maxBytes, int mostLikely)
    {
        IEnumerable<QetPlan> likely = Candidates(maxBytes).OrderBy(candidate => candidate.Estimate).Take(mostLikely).Select(candidate => candidate.Plan);
        QetCandidate[] tried = Ranked(likely.Concat(rivals.SelectMany(kind => kind.Take(MostRivals)).Select(candidate => candidate.Plan)), tryWhole);
        tried = Improved(tried, _ => true, tryWhole, maxBytes);
        if (tried is [{ HasNoSwaps: false }, ..]) tried = Improved(tried, candidate => candidate.HasNoSwaps, tryWhole, maxBytes);
        return tried is [{ IsPlain: true }, ..] ? tried : Improved(tried, candidate => candidate.IsPlain, tryWhole, maxBytes);
    }

    /// <summary>The published rule's plans for stages without swaps of such shares, at every width of groups, the best by brief trials first; with all ways to round codebooks at the best few widths, in a small matrix at all.</summary>
    private QetCandidate[] Rivals(Func<QetPlan, double> tryBriefly, long maxBytes, double[] shares)
    {
        int[] all = [.. Widths()];
        QetCandidate[] first = _isSmall ? [] : Ranked(all.SelectMany(width => Roundings(shares, width, maxBytes, FirstCodebookBits, [false])), tryBriefly);
        IEnumerable<int> widths = _isSmall ? all : first.Length == 0 ? [(int)_values.Columns] : first.Select(candidate => candidate.Plan.SubvectorLength).Distinct().Take(MostWidths); // one group takes the fewest bytes
        IEnumerable<QetPlan> closer = widths.SelectMany(width => Roundings(shares, width, maxBytes, CodebookBits, [false, true]));
        return [.. first.Concat(Ranked(closer.Except(first.Select(candidate => candidate.Plan)), tryBriefly)).OrderBy(candidate => candidate.Estimate)];
    }

    /// <summary>Ways to round the codebooks of one width, the finest and those of fewest centroids first; of equal centroids the finest.</summary>
    private QetPlan[] Roundings(double[] shares, int width, long maxBytes, int[] codebookBits, bool[] gridsPerGroup) =>
    [
        .. codebookBits.SelectMany(bits => gridsPerGroup.Select(perGroup => Rival(shares, width, bits, perGroup, maxBytes))).OfType<QetPlan>()
            .OrderByDescending(plan => plan.Options.CodebookBits).ThenByDescending(plan => plan.Options.GridPerGroup).DistinctBy(plan => string.Join(',', plan.Centroids)),
    ];

    private IEnumerable<int> Widths() => Enumerable.Range(1, (int)_values.Columns).Where(width => _values.Columns % width == 0);

    private QetPlan? Rival(double[] shares, int width, int codebookBits, bool gridPerGroup, long maxBytes)
    {
        int columns = (int)_values.Columns;
        if (gridPerGroup && width == columns) return null;
        QetStageOptions[] stages = [.. shares.Select(share => new QetStageOptions(0, share))];
        var options = new QetOptions(columns / width, stages, codebookBits, gridPerGroup, seed: _seed) { BeamWidth = stages.Length > 1 ? QetPlanForm.BeamWidth : 1 };
        return QetPlan.OfOneCentroid(_values.Rows, columns, options).Within(maxBytes, QetBudget.MostCentroids);
    }

    /// <summary>Moves bits between the stages and the codebooks of the best one of a kind while that lowers its error.</summary>
    private static QetCandidate[] Improved(QetCandidate[] tried, Func<QetCandidate, bool> isOfKind, Func<QetPlan, double> tryWhole, long maxBytes)
    {
        for (int round = 0; round < MostRounds && tried.FirstOrDefault(isOfKind) is { } best; round++)
        {
            QetCandidate[] more = Ranked(Neighbours(best.Plan, maxBytes).Except(tried.Select(candidate => candidate.Plan)), tryWhole);
            tried = [.. tried.Concat(more).OrderBy(candidate => candidate.Estimate)];
            if (tried.First(isOfKind) == best) break;
        }

        return tried;
    }

    private static IEnumerable<QetPlan> Neighbours(QetPlan plan, long maxBytes)
    {
        yield return QetBudget.Spend(plan, maxBytes);
        QetOptions options = plan.Options;
        int finer = CodebookBits.LastOrDefault(bits => bits > options.CodebookBits, options.CodebookBits), coarser = CodebookBits.FirstOrDefault(bits => bits < options.CodebookBits, options.CodebookBits);
        if (QetBudget.Round(plan, finer, options.GridPerGroup, maxBytes) is { } fine) yield return fine;
        if (QetBudget.Round(plan, coarser, options.GridPerGroup, maxBytes) is { } coarse) yield return coarse;
        if (options.Subspaces > 1 && QetBudget.Round(plan, options.CodebookBits, !options.GridPerGroup, maxBytes) is { } other) yield return other;
        for (int stage = 1; stage < plan.Centroids.Count; stage++)
        {
            if (QetBudget.Move(plan, stage, stage - 1, maxBytes) is { } earlier) yield return earlier;
            if (QetBudget.Move(plan, stage - 1, stage, maxBytes) is { } later) yield return later;
        }
    }

    /// <summary>The best of all, of plain product quantisation and of stages without swaps, each with other forms of its kind that come near.</summary>
    private static IEnumerable<QetPlan> Finalists(QetCandidate[] tried)
    {
        QetCandidate[] plain = OfDifferentForms(tried.Where(candidate => candidate.IsPlain)), unswapped = OfDifferentForms(tried.Where(candidate => candidate.HasNoSwaps));
        return tried.Take(1).Concat(plain).Concat(unswapped).Select(candidate => candidate.Plan).Distinct();

        static QetCandidate[] OfDifferentForms(IEnumerable<QetCandidate> kind)
        {
            QetCandidate[] forms = [.. Forms(kind).Take(MostFinalists)];
            return [.. forms.Where(candidate => candidate.Estimate <= Hopeless * forms[0].Estimate)];
        }
    }

    /// <summary>The best of each form: width of groups, swap layers and stages.</summary>
    private static IEnumerable<QetCandidate> Forms(IEnumerable<QetCandidate> candidates) =>
        candidates.DistinctBy(candidate => (candidate.Plan.Options.Subspaces, candidate.Plan.Options.Stages[0].SwapLayers, candidate.Plan.Centroids.Count));

    /// <summary>The best of the likeliest forms, for rotated rows.</summary>
    private void BehindHadamardBlocks(QetCandidate[] tried)
    {
        if (Universal.BlockHadamard.WidthFor((int)_values.Columns) < NarrowestBlocks) return;
        using QetTrials trials = Trials(new HadamardRotation((int)_values.Columns));
        QetPlan best = Ranked(Forms(tried).Take(MostHadamardTrials).Select(candidate => candidate.Plan), trials.Error)[0].Plan;
        Compete(best.WithOptions(best.Options with { Rotation = QetRotation.Hadamard }));
    }

    /// <summary>Optimised product quantisation, and the best form for rows that are rotated by it where that is near what is best without.</summary>
    private void BehindLearntRotation(QetTrials plain)
    {
        long rest = _maxBytes - LearntRotation.BytesFor(_values.Columns);
        if (rest <= 0 || _values.Columns > LearntRotation.MostColumns) return;
        QetCandidate[] likely = Rivals(plain.BriefError, rest, RivalShares[0]);
        if (!_isSmall) likely = Ranked(likely.Take(MostRivals).Select(candidate => candidate.Plan), plain.Error);
        QetPlan[] products = [.. likely.Select(candidate => candidate.Plan).DistinctBy(plan => plan.Options.Subspaces).Take(_isSmall ? int.MaxValue : MostFinalists)];
        if (products.Length == 0) return;
        double unrotated = _competed.Where(pair => pair.Key.Options.Stages is [{ SwapLayers: 0 }]).Min(pair => pair.Value);
        QetPlan product = products.MinBy(plan => Compete(plan.WithOptions(plan.Options with { Rotation = QetRotation.Learnt })))!;
        if (_competed[product.WithOptions(product.Options with { Rotation = QetRotation.Learnt })] > HopelessRotation * unrotated) return;
        using QetTrials rotated = Trials(LearntRotation.Learn(_values, product, _pool, _cancellationToken));
        foreach (QetPlan plan in Finalists(Planned([.. RivalShares[..2].Select(shares => Rivals(rotated.BriefError, rest, shares))], rotated.Error, rest, _isSmall ? MostTrialsOfSmall : MostTrialsOfRotated))) Compete(plan.WithOptions(plan.Options with { Rotation = QetRotation.Learnt }));
    }

    /// <summary>A plan of most centroids for each form with swaps or more than two stages.</summary>
    private IEnumerable<QetCandidate> Candidates(long maxBytes)
    {
        int columns = (int)_values.Columns;
        foreach (int width in Enumerable.Range(1, columns).Where(width => columns % width == 0 && (width <= WidestGroup || width == columns)))
        {
            for (int layers = 0; layers <= MostSwapLayers && columns % (width << layers) == 0; layers++)
            {
                for (int stages = layers == 0 && !_isSmall ? MostStages : 1; stages <= MostStages; stages++)
                {
                    var form = new QetPlanForm(_values.Rows, columns, maxBytes, _seed, width, layers, stages);
                    if (CodebookBits.Select(form.Fill).OfType<QetCandidate>().MinBy(candidate => candidate.Estimate) is { } candidate) yield return candidate;
                }
            }
        }
    }

    private ArgumentException TooFew()
    {
        long least = LeastBytes(_values.Rows, _values.Columns);
        return new ArgumentException($"{_maxBytes} bytes for {_values.Rows} x {_values.Columns} do not pay for one centroid: the least is {QetBudget.Named(least, _values.Rows, _values.Columns)}.");
    }
}
