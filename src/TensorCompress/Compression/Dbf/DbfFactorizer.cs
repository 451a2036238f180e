using System.Text;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary>Double binary factorisation of matrices, <c>W ~ diag(a) A diag(d) B diag(b)</c>: the solver, then the closed-form fit of the scales.</summary>
public sealed class DbfFactorizer : IDisposable
{
    private readonly DbfTarget _target;
    private readonly DbfSolver _solver;
    private readonly DbfSchedule _schedule;
    private readonly ComputePool _pool;
    private readonly byte[] _identity;
    private double _flipOperations;

    /// <summary>Weighs a matrix and prepares the first round.</summary>
    /// <param name="weights">W, [output, input]; read here. With statistics of a layer whose inputs are already those of a compressed model it may be another target than the layer's own weights.</param>
    /// <param name="options">Rate, shrinkage and schedule.</param>
    /// <param name="context">Threads, seed and statistics; the result does not depend on the number of threads.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <exception cref="ArgumentException">A weight is NaN or infinite, the bits are too few, or the statistics are of another layer.</exception>
    public DbfFactorizer(MatrixView<float> weights, DbfOptions options, CompressionContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        context.Statistics?.ThrowIfUnfit(weights);
        int channels = options.MiddleDimensionFor(checked((int)weights.Rows), checked((int)weights.Columns));
        _pool = context.Pool;
        _schedule = options.ScheduleFor((int)weights.Rows, (int)weights.Columns, channels, context.Statistics is not null);
        _target = new DbfTarget(weights, context.Statistics, options.DiagonalShare, _pool, cancellationToken);
        _identity = _target.Identity($"{channels} {_schedule.ToText()} {context.Seed}");
        _solver = new DbfSolver(_target, channels, _schedule, context.Seed, _pool);
    }

    /// <summary>Multiplications and additions of the solver, flips of signs included.</summary>
    public double Operations => _solver.Operations + _flipOperations;

    /// <summary>Squared error in the metric over the squared norm of the target; NaN until <see cref="Run"/> has ended.</summary>
    public double Error { get; private set; } = double.NaN;

    /// <summary>Whether no flip of a single sign lowers the squared error of what <see cref="Run"/> gave.</summary>
    public bool IsOptimal { get; private set; }

    /// <summary>Signs that were flipped after the last round.</summary>
    public long Flips { get; private set; }

    /// <summary>Rounds that this object ran: those before a restored state are not among them.</summary>
    public int RoundsRun { get; private set; }

    /// <summary>Runs the rounds that are left, fits the scales and rounds them, then flips single signs. Call it once.</summary>
    /// <param name="progress">Told round and squared error (that of the round before) after every round; may be null.</param>
    /// <param name="cancellationToken">Looked at between rounds.</param>
    /// <exception cref="ArgumentException">A scale is beyond half precision: the weights are too large.</exception>
    public DbfWeight Run(IProgress<DbfProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        RunRounds(_schedule.Rounds, progress, cancellationToken);
        _solver.Finish();
        DbfIterate iterate = _solver.Best!;
        DbfScaleFit.Run(_target, iterate, _schedule.RefitSweeps, _pool, cancellationToken);
        _target.Unweigh(iterate.OutputScale, iterate.MiddleScale, iterate.InputScale);
        DbfWeight weight = DbfWeight.Round(iterate);
        // From here on the scales are what a file holds.
        iterate.TakeScales(weight.OutputScale, weight.MiddleScale, weight.InputScale);
        _target.Weigh(iterate.OutputScale, iterate.MiddleScale, iterate.InputScale);
        if (_schedule.FlipSweeps > 0)
        {
            using DbfWeight rounded = weight;
            (Flips, IsOptimal, _flipOperations) = DbfSignFlips.Run(_target, iterate, _schedule.FlipSweeps, _pool, cancellationToken);
            weight = rounded.WithSigns(iterate.Outer, iterate.Inner);
        }

        Error = DbfScaleFit.Error(_target, iterate, _pool);
        return weight;
    }

    /// <summary>Runs a few rounds, at most those that are left; none once there is no error left.</summary>
    /// <inheritdoc cref="Run"/>
    public void RunRounds(int rounds, IProgress<DbfProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        for (int round = 0; round < rounds && _solver.Round < _schedule.Rounds && !_solver.IsExact; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _solver.Step();
            RoundsRun++;
            progress?.Report(new DbfProgress(_solver.Round, _schedule.Rounds, _solver.Error));
        }
    }

    /// <summary>Writes the state between rounds, so that another process goes on to the same bits.</summary>
    /// <param name="stream">Where to; about 8 bytes for each sign.</param>
    public void SaveState(Stream stream)
    {
        using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(_identity);
        _solver.Save(writer);
    }

    /// <summary>Reads what <see cref="SaveState"/> wrote.</summary>
    /// <exception cref="ArgumentException">It is the state of another problem: weights, statistics, options or seed differ.</exception>
    /// <exception cref="EndOfStreamException">It is cut off; this object can only be disposed then.</exception>
    public void RestoreState(Stream stream)
    {
        using var reader = new BinaryReader(stream, Encoding.UTF8, leaveOpen: true);
        byte[] identity = new byte[_identity.Length];
        reader.ReadExactly(identity);
        if (!identity.AsSpan().SequenceEqual(_identity)) throw new ArgumentException("The state is that of another factorisation: weights, statistics, options or seed differ.", nameof(stream));
        _solver.Restore(reader);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _solver.Dispose();
        _target.Dispose();
    }
}

/// <summary>How far the solver is.</summary>
/// <param name="Round">Rounds done.</param>
/// <param name="Rounds">Rounds in all.</param>
/// <param name="Error">Squared error over the squared norm of the target, of the round before; NaN after the first one.</param>
public readonly record struct DbfProgress(int Round, int Rounds, double Error);
