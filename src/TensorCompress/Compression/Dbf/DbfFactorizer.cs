using System.Text;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary>Double binary factorisation of matrices, <c>W ~ diag(a) A diag(d) B diag(b)</c>: the solver, then the closed-form fit of the scales.</summary>
public sealed class DbfFactorizer : IDisposable
{
    private readonly DbfTarget _target;
    private readonly DbfSchedule _schedule;
    private readonly ComputePool _pool;
    private readonly int _channels;
    private readonly ulong _seed;
    private readonly byte[] _identity;
    private DbfSolver _solver;
    private double _flipOperations;

    /// <summary>Weighs a matrix and prepares the first round.</summary>
    /// <param name="weights">W, [output, input]; read here. With statistics of a layer whose inputs are already those of a compressed model it may be another target than the layer's own weights.</param>
    /// <param name="options">Rate, shrinkage and schedule.</param>
    /// <param name="context">Threads, seed and statistics; the result does not depend on the number of threads.</param>
    /// <param name="cancellationToken">Looked at often.</param>
    /// <exception cref="ArgumentException">A weight is NaN or infinite, the matrix is empty, the bits are too few or the middle dimension too large, or the statistics are of another layer or their second moment, shrunk, is not positive semi-definite.</exception>
    public DbfFactorizer(MatrixView<float> weights, DbfOptions options, CompressionContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        if (weights.Rows == 0 || weights.Columns == 0) throw new ArgumentException($"Weights of shape [{weights.Rows}, {weights.Columns}] are empty.", nameof(weights));
        FiniteWeights.ThrowIfNot(weights, nameof(weights));
        context.Statistics?.ThrowIfUnfit(weights);
        _channels = options.MiddleDimensionFor(checked((int)weights.Rows), checked((int)weights.Columns));
        (_pool, _seed) = (context.Pool, context.Seed);
        ComputePool pool = _pool.CancelledBy(cancellationToken);
        _schedule = options.ScheduleFor((int)weights.Rows, (int)weights.Columns, _channels, context.Statistics is not null);
        _target = new DbfTarget(weights, context.Statistics, options.DiagonalShare, pool, cancellationToken);
        _identity = _target.Identity($"{_channels} {_schedule.ToText()} {_seed}");
        _solver = new DbfSolver(_target, _channels, _schedule, _seed, pool);
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

    /// <summary>Runs the rounds that are left, fits the scales and rounds them, then flips single signs. Called again, after its end or where it was cancelled, it gives the same bits.</summary>
    /// <param name="progress">Told every step and the squared error that it left; a round is told when the next one has begun, because its products measure it. May be null.</param>
    /// <param name="cancellationToken">Looked at often, within rounds too. A round that was cancelled is unfinished: this object can only restore a state then, or be disposed.</param>
    /// <exception cref="ArgumentException">A scale is beyond half precision: a few weights are far larger than the others.</exception>
    /// <exception cref="InvalidOperationException">A round was cancelled before.</exception>
    public DbfWeight Run(IProgress<DbfProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        RunRounds(_schedule.Rounds, progress, cancellationToken);
        ComputePool pool = _pool.CancelledBy(cancellationToken);
        _solver.Pool = pool;
        _solver.Finish(progress);
        // The solver's own stays what the rounds left: states are saved of it, and another run begins with it.
        DbfIterate iterate = _solver.Best!.Clone();
        DbfScaleFit.Run(_target, iterate, _schedule.RefitSweeps, pool, progress);
        _target.Unweigh(iterate.OutputScale, iterate.MiddleScale, iterate.InputScale);
        using DbfWeight rounded = DbfWeight.Round(iterate);
        // From here on the scales are what a file holds.
        iterate.TakeScales(rounded.OutputScale, rounded.MiddleScale, rounded.InputScale);
        _target.Weigh(iterate.OutputScale, iterate.MiddleScale, iterate.InputScale);
        if (_schedule.FlipSweeps > 0) (Flips, IsOptimal, _flipOperations) = DbfSignFlips.Run(_target, iterate, _schedule.FlipSweeps, pool, progress);
        Error = DbfScaleFit.Error(_target, iterate, pool);
        progress?.Report(new DbfProgress(DbfStage.Done, 1, 1, Error));
        return rounded.WithSigns(iterate.Outer, iterate.Inner);
    }

    /// <summary>Runs a few rounds, at most those that are left; none once there is no error left.</summary>
    /// <inheritdoc cref="Run"/>
    public void RunRounds(int rounds, IProgress<DbfProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        _solver.Pool = _pool.CancelledBy(cancellationToken);
        for (int round = 0; round < rounds && _solver.Round < _schedule.Rounds && !_solver.IsExact; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _solver.Step(progress);
            RoundsRun++;
        }
    }

    /// <summary>Writes the state between rounds, so that another process goes on to the same bits.</summary>
    /// <param name="stream">Where to; about 8 bytes for each sign. A hash of all of it stands at the end.</param>
    /// <exception cref="InvalidOperationException">A round was cancelled.</exception>
    public void SaveState(Stream stream)
    {
        using var hashed = new HashedStream(stream);
        using (var writer = new BinaryWriter(hashed, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(_identity);
            _solver.Save(writer);
        }

        stream.Write(hashed.Hash());
    }

    /// <summary>Reads what <see cref="SaveState"/> wrote; if that fails, this object is what it was before.</summary>
    /// <param name="stream">Where from; it is read up to the end of the state.</param>
    /// <exception cref="ArgumentException">It is the state of another problem: weights, statistics, options or seed differ.</exception>
    /// <exception cref="TensorFormatException">It is cut off or damaged.</exception>
    public void RestoreState(Stream stream)
    {
        var restored = new DbfSolver(_target, _channels, _schedule, _seed, _pool);
        try
        {
            Read(stream, restored);
            restored.Resume();
            (restored, _solver) = (_solver, restored);
        }
        finally
        {
            restored.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _solver.Dispose();
        _target.Dispose();
    }

    private void Read(Stream stream, DbfSolver solver)
    {
        using var hashed = new HashedStream(stream);
        using var reader = new BinaryReader(hashed, Encoding.UTF8, leaveOpen: true);
        try
        {
            byte[] identity = reader.ReadBytes(_identity.Length), hash = new byte[HashedStream.HashBytes];
            if (identity.Length < _identity.Length) throw new EndOfStreamException();
            if (!identity.AsSpan().SequenceEqual(_identity)) throw new ArgumentException("The state is that of another factorisation: weights, statistics, options or seed differ.", nameof(stream));
            solver.Restore(reader);
            stream.ReadExactly(hash);
            if (!hashed.Hash().AsSpan().SequenceEqual(hash)) throw new TensorFormatException(TensorFormatError.Hash, "The saved state of a factorisation is damaged.");
        }
        catch (EndOfStreamException fault)
        {
            throw new TensorFormatException(TensorFormatError.Truncated, "The saved state of a factorisation is cut off.", innerException: fault);
        }
    }
}
