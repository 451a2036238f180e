using TensorCompress.Numerics;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary>
/// Double binary factorisation by alternating directions: <c>T ~ A B</c> where A and B are signs times magnitudes of rank one. In each round one factor is fixed, its rows scaled to length 1, and the
/// other is updated by steps that solve a penalised least-squares problem, project the solution plus the dual, and move the dual (Boza and Macko, arXiv 2505.11076).
/// </summary>
/// <remarks>
/// Solves go through a Cholesky factor of each penalty. The error of an iterate comes free: it is made of cross and Gram products that the rounds before and after need anyway.
/// </remarks>
internal sealed class DbfSolver : IDisposable
{
    /// <summary>A squared error, over the squared norm, that scales of half precision (11 bits) add anyway.</summary>
    private const double NoError = 1.0 / (1 << 22);

    private readonly DbfTarget _target;
    private readonly DbfSchedule _schedule;
    private readonly SeededRandom _random;
    private readonly SignFactor _outer, _inner, _first, _second;
    private readonly float[] _penalties;
    private readonly Matrix<float> _firstGram, _secondGram, _outerCross, _innerCross, _solution;
    private readonly Matrix<float>? _rotated;
    private bool _isWithinRound;

    /// <summary>Prepares the first round.</summary>
    /// <param name="target">What is approximated; must outlive the solver.</param>
    /// <param name="channels">Middle dimension k.</param>
    /// <param name="schedule">How to run.</param>
    /// <param name="seed">Seed of the start.</param>
    /// <param name="pool">Threads.</param>
    public DbfSolver(DbfTarget target, int channels, DbfSchedule schedule, ulong seed, ComputePool pool)
    {
        (_target, _schedule, _random) = (target, schedule, new SeededRandom(seed));
        int rows = (int)target.Values.Rows, columns = (int)target.Values.Columns;
        _outer = new SignFactor(channels, rows, pool);
        _inner = new SignFactor(channels, columns, pool);
        Pool = pool;
        // The factor of the shorter side is updated first.
        (_first, _second) = rows < columns ? (_outer, _inner) : (_inner, _outer);
        _second.StartFrom(_random);
        _penalties = new float[channels];
        _firstGram = new Matrix<float>(channels, channels);
        _secondGram = new Matrix<float>(channels, channels);
        _outerCross = new Matrix<float>(channels, rows);
        _innerCross = new Matrix<float>(channels, columns);
        _solution = new Matrix<float>(channels, Math.Max(rows, columns));
        if (target.Metric is not null) _rotated = new Matrix<float>(channels, columns);
        BestError = double.PositiveInfinity;
    }

    /// <summary>Threads; the result does not depend on their number. A pool that is cancelled ends a round anywhere.</summary>
    public ComputePool Pool
    {
        get;
        set
        {
            field = value;
            (_outer.Pool, _inner.Pool) = (value, value);
        }
    }

    /// <summary>Rounds done.</summary>
    public int Round { get; private set; }

    /// <summary>Squared error over the squared norm of the target, of the last iterate that was measured; NaN before.</summary>
    public double Error { get; private set; } = double.NaN;

    /// <summary>The least error among the iterates that may be taken.</summary>
    public double BestError { get; private set; }

    /// <summary>The iterate that will be taken.</summary>
    public DbfIterate? Best { get; private set; }

    /// <summary>Whether the iterate that will be taken has no error left. One that stands still is no sign: it can fall to nothing when the penalty is high.</summary>
    public bool IsExact => _schedule.KeepsBest && BestError <= NoError;

    /// <summary>Multiplications and additions done in products, factorisations and solves.</summary>
    public double Operations { get; private set; }

    /// <summary>One round.</summary>
    /// <param name="progress">Told the round before, whose error the first products of this one give; may be null.</param>
    public void Step(IProgress<DbfProgress>? progress)
    {
        ThrowIfWithinRound();
        PrepareFirst(progress);
        Pool.ThrowIfCancelled(); // by whoever was told; until here the state is that between rounds
        _isWithinRound = true;
        double ridge = _schedule.RidgeAt(Round), penalty = _schedule.PenaltyAt(Round);
        Update(_first, _secondGram, ridge, penalty);
        PrepareSecond();
        Update(_second, _firstGram, ridge, penalty);
        Round++;
        _isWithinRound = false;
    }

    /// <summary>Writes what the rounds to come depend on.</summary>
    /// <exception cref="InvalidOperationException">A round was cancelled: what it wrote is unfinished.</exception>
    public void Save(BinaryWriter writer)
    {
        ThrowIfWithinRound();
        writer.Write(Round);
        writer.Write(Error);
        writer.Write(Operations);
        if (Round == 0) return;
        _outer.Save(writer);
        _inner.Save(writer);
        writer.Write(BestError);
        writer.Write(Best is not null);
        Best?.Save(writer);
    }

    /// <summary>Reads what <see cref="Save"/> wrote for the same target and schedule, into a solver that has done nothing; <see cref="Resume"/> then.</summary>
    /// <exception cref="TensorFormatException">A value is impossible.</exception>
    /// <exception cref="EndOfStreamException">It is cut off.</exception>
    public void Restore(BinaryReader reader)
    {
        Round = reader.ReadInt32();
        if (Round < 0 || Round > _schedule.Rounds) throw new TensorFormatException(TensorFormatError.Value, $"The state is that of round {Round} of {_schedule.Rounds}.");
        (Error, Operations) = (reader.ReadDouble(), reader.ReadDouble());
        if (Round == 0) return;
        _outer.Restore(reader);
        _inner.Restore(reader);
        BestError = reader.ReadDouble();
        if (reader.ReadBoolean()) Best = DbfIterate.Read(reader, _outer, _inner);
    }

    /// <summary>Makes what follows from a restored state.</summary>
    public void Resume()
    {
        if (Round == 0) return;
        double operations = Operations;
        PrepareSecond();
        Operations = operations; // they were counted when the round was run
    }

    /// <summary>Measures the last iterate; call after the last round.</summary>
    /// <param name="progress">Told its error; may be null.</param>
    public void Finish(IProgress<DbfProgress>? progress)
    {
        ThrowIfWithinRound();
        PrepareFirst(progress);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _outer.Dispose();
        _inner.Dispose();
        _firstGram.Dispose();
        _secondGram.Dispose();
        _outerCross.Dispose();
        _innerCross.Dispose();
        _solution.Dispose();
        _rotated?.Dispose();
    }

    /// <summary>Gram and cross product of the second factor; with those of the first one they give the error.</summary>
    private void PrepareFirst(IProgress<DbfProgress>? progress)
    {
        MatrixView<float> rows = WhitenedRows(_second);
        ComputeGram(rows, _secondGram);
        if (Round > 0)
        {
            Measure(rows);
            progress?.Report(new DbfProgress(DbfStage.Rounds, Round, _schedule.Rounds, Error));
        }

        Cross(_second, rows);
    }

    private void ThrowIfWithinRound()
    {
        if (_isWithinRound) throw new InvalidOperationException("A round was cancelled, and what it wrote is unfinished: go on from a saved state.");
    }

    private void PrepareSecond()
    {
        MatrixView<float> rows = WhitenedRows(_first);
        ComputeGram(rows, _firstGram);
        Cross(_first, rows);
    }

    private MatrixView<float> WhitenedRows(SignFactor factor)
    {
        if (_rotated is null || factor != _inner) return factor.Unit.View;
        Multiply(factor.Unit, _target.Metric!.Whitening.Transposed, _rotated.View);
        return _rotated.View;
    }

    private void ComputeGram(MatrixView<float> rows, Matrix<float> gram)
    {
        MatrixProduct.SymmetricRankK(rows, gram.View, pool: Pool);
        Operations += (double)rows.Rows * rows.Rows * rows.Columns;
    }

    /// <summary>The cross product that the other factor's update needs.</summary>
    private void Cross(SignFactor fixedFactor, MatrixView<float> rows)
    {
        if (fixedFactor == _inner) Multiply(rows, _target.Whitened.Transposed, _outerCross.View);
        else Multiply(rows, _target.Whitened, _innerCross.View);
    }

    /// <summary>|T - A B|^2 = |T|^2 - 2 sum u_i (C_i, N_i) + sum u_i u_j (G_first)_ij (G_second)_ij.</summary>
    private void Measure(MatrixView<float> rows)
    {
        Matrix<float> cross = _second == _inner ? _innerCross : _outerCross;
        float[] magnitudes = _second.Magnitudes;
        double linear = 0, quadratic = 0;
        for (int i = 0; i < magnitudes.Length; i++)
        {
            linear += magnitudes[i] * DoubleVectors.Dot(cross.Row(i), rows.Row(i));
            ReadOnlySpan<float> first = _firstGram.Row(i), second = _secondGram.Row(i);
            double sum = 0;
            for (int j = 0; j < magnitudes.Length; j++) sum += magnitudes[j] * (double)first[j] * second[j];
            quadratic += magnitudes[i] * sum;
        }

        Error = _target.SquaredNorm == 0 ? 0 : Math.Max(0, (_target.SquaredNorm - 2 * linear + quadratic) / _target.SquaredNorm);
        bool counts = _schedule.KeepsBest ? 2 * Round >= _schedule.Rounds && Error < BestError : Round == _schedule.Rounds;
        if (!counts && !(Round == _schedule.Rounds && Best is null)) return;
        BestError = Error;
        (Best ??= new DbfIterate()).Take(_outer, _inner, magnitudes);
    }

    private void Update(SignFactor factor, Matrix<float> gram, double ridge, double firstPenalty)
    {
        DbfMetric? metric = factor == _inner ? _target.Metric : null;
        double scale = 0;
        for (nint i = 0; i < gram.Rows; i++) scale += (double)gram[i, i] / gram.Rows;
        MatrixView<float> solution = _solution.View.Contiguous(_solution.Rows, factor.Unit.Columns);
        PenalizedGram? system = null;
        try
        {
            double penalty = double.NaN;
            for (int step = 0; step < _schedule.InnerSteps; step++)
            {
                double wanted = step == 0 ? firstPenalty : 1;
                if (wanted != penalty)
                {
                    system?.Dispose();
                    penalty = wanted;
                    factor.WritePenalties(penalty * scale, _schedule.WeighsChannels, _penalties);
                    system = new PenalizedGram(gram, ridge * scale, _penalties, metric, Pool);
                    Operations += system.Groups.Count * Math.Pow(gram.Rows, 3) / 3;
                }

                Solve(factor, system!, metric, solution);
                factor.Absorb(solution, Round == 0 && step == 0 ? 1 : (float)_schedule.Relaxation);
                factor.Project(_schedule.PowerRounds, _schedule.RandomStarts ? StartOf(factor, step) : null);
            }
        }
        finally
        {
            system?.Dispose();
        }
    }

    /// <summary>A generator for each projection, so that a saved state need not hold one.</summary>
    private SeededRandom StartOf(SignFactor factor, int step) => _random.Fork((ulong)(2 * ((long)Round * _schedule.InnerSteps + step) + (factor == _inner ? 1 : 0)));

    private void Solve(SignFactor factor, PenalizedGram system, DbfMetric? metric, MatrixView<float> solution)
    {
        Operations += 2.0 * solution.Rows * solution.Rows * solution.Columns;
        if (metric is null)
        {
            factor.WriteRightSides(_penalties, (factor == _inner ? _innerCross : _outerCross).View, solution);
            system.Solve(solution);
            return;
        }

        factor.WritePulls(solution);
        Multiply(solution, metric.Basis.Transposed, _rotated!.View);
        system.Solve(_innerCross.View, _rotated.View, metric);
        Multiply(_rotated, metric.Basis, solution);
    }

    private void Multiply(MatrixOperand<float> a, MatrixOperand<float> b, MatrixView<float> c)
    {
        MatrixProduct.Multiply(a, b, c, pool: Pool);
        Operations += 2.0 * a.Rows * a.Columns * b.Columns;
    }
}
