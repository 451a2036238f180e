using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>
/// The fit of a layer's outputs with one split: TT-SVD in whitened coordinates, then sweeps. Where one site has all inputs, two sites are fitted exactly by the first already (such a split is a
/// product of two matrices: the whitened low-rank factorisation). Else two sites take whichever of <see cref="AlternatingFit"/> and <see cref="JointFit"/> multiplies less; more sites take <see cref="BondFit"/>.
/// </summary>
internal sealed class OutputFit : IDisposable
{
    private readonly Whitening _whitening;
    private readonly MatrixProductOperator _start;
    private readonly JointFit? _joint;
    private readonly AlternatingFit? _alternating;
    private readonly BondFit? _bonds;

    /// <summary>Makes the start.</summary>
    /// <param name="problem">W and its split.</param>
    /// <param name="metric">H with its ridge, padded; stays the caller's.</param>
    /// <param name="truncation">How far bonds are cut.</param>
    /// <param name="limits">r_0 ... r_L, the most of each bond.</param>
    /// <param name="fits">Whether bonds are within the budget, for three and more sites.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    public OutputFit(FitProblem problem, Matrix<double> metric, MpoTruncation truncation, int[] limits, Func<int[], bool> fits, CancellationToken cancellationToken)
    {
        _whitening = new Whitening(problem, metric, diagonal: false);
        MatrixProductOperator white = _whitening.Decompose(truncation, limits, cancellationToken);
        _start = _whitening.Restore(white);
        using (white)
        {
            if (problem.Factors.Sites == 2 && _whitening.IsExact) StartLoss = white.DiscardedError!.Value * white.DiscardedError.Value;
            else if (IsJoint(problem, white)) _joint = new JointFit(problem, _whitening, metric, white);
            else if (problem.Factors.Sites > 2) _bonds = new BondFit(problem, metric, _start, fits);
            else _alternating = new AlternatingFit(problem, metric, _start);
        }
    }

    /// <summary>The relative loss after the sweeps so far; null before the first where it is not known yet.</summary>
    public double? Loss => Losses.Count > 0 ? Losses[^1] : StartLoss;

    /// <summary>Whether sweeps have nothing to do.</summary>
    public bool IsExact => _joint is null && _alternating is null && _bonds is null;

    private double? StartLoss { get; }

    /// <summary>The relative losses at the start and after every sweep; empty where sweeps have nothing to do.</summary>
    public IReadOnlyList<double> Losses => _joint?.Losses ?? _alternating?.Losses ?? _bonds?.Losses ?? [];

    /// <summary>More sweeps.</summary>
    /// <param name="sweeps">At most so many.</param>
    /// <param name="progress">Told the share done; may be null.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    public void Run(int sweeps, IProgress<double>? progress, CancellationToken cancellationToken)
    {
        _joint?.Run(sweeps, progress, cancellationToken);
        _alternating?.Run(sweeps, progress, cancellationToken);
        _bonds?.Run(sweeps, progress, cancellationToken);
    }

    /// <summary>The operator after the sweeps so far.</summary>
    public MatrixProductOperator ToOperator()
    {
        if (_bonds is not null) return _bonds.ToOperator();
        if (_alternating is not null) return _alternating.ToOperator();
        if (_joint is null) return _start.Copy();
        using MatrixProductOperator white = _joint.ToOperator();
        return _whitening.Restore(white);
    }

    public void Dispose()
    {
        _alternating?.Dispose();
        _bonds?.Dispose();
        _joint?.Dispose();
        _start.Dispose();
        _whitening.Dispose();
    }

    private static bool IsJoint(FitProblem problem, MatrixProductOperator start) =>
        problem.Factors.Sites == 2 && JointFit.Cost(problem.Factors, start.BondDimensions[1]) < AlternatingFit.DirectCost(problem, start.BondDimensions[1]);
}
