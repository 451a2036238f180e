using System.Numerics.Tensors;
using TensorCompress.Compression.Mpo.Contraction;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>A matrix product operator that multiplies in compressed form.</summary>
/// <remarks>
/// Two sites in single precision lie in memory as the kernel reads them. Cores of other types, and chains of more sites, are decoded and multiplied out to two groups in scratch memory at
/// every call, which costs less than one token.
/// </remarks>
public sealed class MpoLayer : LinearLayer
{
    /// <summary>Tokens from which a copy in better places costs less than it gains.</summary>
    private const int TokensWorthCopy = 16;

    private readonly SiteFactors _factors;
    private readonly CoreGroups _groups;
    private readonly int[] _bonds;

    // Two sites in single precision: A in one row and B in panels. Everything else: the cores as they are stored.
    private readonly Matrix<float>? _first;
    private readonly Matrix<float>? _second;
    private readonly StoredCore[] _cores;
    private readonly CoreFormat _format;
    private readonly double? _relativeError;

    internal MpoLayer(int outputDimension, int inputDimension, SiteFactors factors, IReadOnlyList<int> bonds, IReadOnlyList<StoredCore> cores, double? relativeError, MpoPlan plan)
        : base(outputDimension, inputDimension)
    {
        _factors = factors;
        _format = cores[0].Format;
        _relativeError = relativeError;
        _bonds = [.. bonds];
        _groups = new CoreGroups(factors, bonds);
        Plan = plan;
        if (factors.Sites != 2 || cores[0].Format != CoreFormat.F32)
        {
            _cores = [.. cores.Select(core => core.Clone())];
            return;
        }

        _cores = [];
        _first = new Matrix<float>(1, _groups.Shape.FirstFloats);
        _second = new Matrix<float>(1, _groups.Shape.PanelFloats);
        using var scratch = new Matrix<float>(1, PackingFloats(_groups.Shape));
        Pack(0, PackingUnits(_groups.Shape), _groups.Shape, cores, _first.View, _second.View, scratch.Row(0));
    }

    /// <inheritdoc/>
    public override long ResidentBytes => (_first?.ByteLength ?? 0) + (_second?.ByteLength ?? 0) + _cores.Sum(core => core.ByteLength);

    /// <summary>How it was asked to multiply.</summary>
    public MpoPlan Plan { get; }

    /// <summary>Multiplications for one token in the way that is taken for one; the dense product has output x input.</summary>
    public override long MultiplicationsPerToken => (long)_groups.Multiplications + _groups.Shape.UsefulMultiplications(PathFor(1));

    /// <summary>Compresses a matrix to a layer with two cores.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="chi">Limit of the bond dimension, at least 1.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, or chi is less than 1.</exception>
    public static MpoLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, int chi) => FromDense(weights, rows, columns, MpoOptions.WithChi(chi));

    /// <summary>Compresses a matrix to a layer.</summary>
    /// <param name="weights">W, row-major; read before the call returns.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="options">Truncation, split, fit and format of the cores.</param>
    /// <param name="statistics">What calibration knows of the inputs; null for nothing.</param>
    /// <param name="plan">How it multiplies.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, or the options do not fit the shape.</exception>
    public static MpoLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, MpoOptions options, LayerStatistics? statistics = null, MpoPlan plan = MpoPlan.ByShape)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, options, statistics, plan);
    }

    /// <summary>Compresses a matrix to a layer with two cores.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="chi">Limit of the bond dimension, at least 1.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, or chi is less than 1.</exception>
    public static MpoLayer FromDense(in ReadOnlyTensorSpan<float> weights, int chi) => FromDense(weights, MpoOptions.WithChi(chi));

    /// <summary>Compresses a matrix to a layer.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="options">Truncation, split, fit and format of the cores.</param>
    /// <param name="statistics">What calibration knows of the inputs; null for nothing.</param>
    /// <param name="plan">How it multiplies.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, or the options do not fit the shape.</exception>
    public static MpoLayer FromDense(in ReadOnlyTensorSpan<float> weights, MpoOptions options, LayerStatistics? statistics = null, MpoPlan plan = MpoPlan.ByShape)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, options, statistics, plan);
    }

    /// <summary>What the layer says about itself: split, bonds and their singular values, parameters, error, and the way it multiplies.</summary>
    public WeightExplanation Explain()
    {
        using MatrixProductOperator chain = ToOperator();
        return MpoExplanation.Of(chain, _format, Plan);
    }

    /// <summary>The way taken for a number of tokens.</summary>
    internal ContractionPath PathFor(int tokens) => ContractionModel.Choose(Plan, _groups.Shape, tokens);

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        TwoSiteShape shape = _groups.Shape;
        bool isPacked = _first is not null, padsOutput = shape.Outputs != OutputDimension;
        ContractionPath path = PathFor(input.TokenCount);
        // From the left the kernel reads the input in panels, up to fifteen floats beyond its end.
        // Rebuilt panels meet a dozen tokens together, whose rows had better not lie a power of two apart.
        nint stride = path == ContractionPath.Rebuild && input.TokenCount >= TokensWorthCopy ? TwoSiteShape.Apart(shape.Inputs) : shape.Inputs;
        bool copiesInput = shape.Inputs != InputDimension || stride != shape.Inputs || (path == ContractionPath.FromLeft && !shape.IsNarrow && shape.Inputs2 % 16 != 0);
        using ScratchLease first = context.Rent(1, isPacked ? 0 : shape.FirstFloats), second = context.Rent(1, isPacked ? 0 : shape.PanelFloats);
        using ScratchLease inputs = context.Rent(copiesInput ? input.TokenCount + 1 : 0, nint.Max(stride, 16)), outputs = context.Rent(padsOutput ? input.TokenCount : 0, shape.Outputs);
        if (!isPacked) MultiplyOut(first.View, second.View, context);
        MatrixView<float> x = copiesInput ? Pad(input.Values, inputs.View.RowRange(0, input.TokenCount).ColumnRange(0, nint.Max(shape.Inputs, 16))) : input.Values, y = padsOutput ? outputs.View : destination;
        TwoSiteProduct.Multiply(path, shape, _first?.View ?? first.View, _second?.View ?? second.View, x, y, context);
        if (padsOutput) y.ColumnRange(0, OutputDimension).CopyTo(destination);
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination)
    {
        double[] state = [1]; // [I, l]: I = (i_1 .. i_k) so far, l the open bond
        int rest = _factors.OutputDimension;
        for (int site = 0; site < _factors.Sites; site++)
        {
            rest /= _factors.Outputs[site];
            (int output, row) = Math.DivRem(row, rest);
            int bond = _bonds[site], width = _factors.Inputs[site] * _bonds[site + 1], positions = state.Length / bond;
            float[] slice = new float[width];
            double[] next = new double[checked(positions * width)];
            for (int l = 0; l < bond; l++)
            {
                ReadCoreRow(site, (nint)l * _factors.Outputs[site] + output, slice);
                for (int position = 0; position < positions; position++)
                    DoubleVectors.AddScaled(state[position * bond + l], slice, next.AsSpan(position * width, width));
            }

            state = next;
        }

        for (int i = 0; i < destination.Length; i++) destination[i] = (float)state[i];
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _first?.Dispose();
            _second?.Dispose();
            foreach (StoredCore core in _cores) core.Dispose();
        }

        base.Dispose(disposing);
    }

    private MatrixProductOperator ToOperator()
    {
        var cores = new Matrix<double>[_factors.Sites];
        for (int site = 0; site < cores.Length; site++)
        {
            cores[site] = new Matrix<double>((nint)_bonds[site] * _factors.Outputs[site], (nint)_factors.Inputs[site] * _bonds[site + 1]);
            float[] row = new float[cores[site].Columns];
            for (nint i = 0; i < cores[site].Rows; i++)
            {
                ReadCoreRow(site, i, row);
                TensorPrimitives.ConvertTruncating<float, double>(row, cores[site].Row(i));
            }
        }

        return new MatrixProductOperator(OutputDimension, InputDimension, _factors, [.. _bonds], cores) { RelativeError = _relativeError };
    }

    private static MpoLayer FromDense(Matrix<float> weights, MpoOptions options, LayerStatistics? statistics, MpoPlan plan)
    {
        ArgumentNullException.ThrowIfNull(options);
        using MpoWeight weight = MpoWeight.Make(weights.View, options, Threading.ComputePool.Shared, statistics, heads: null, progress: null, CancellationToken.None);
        return weight.CreateLayer(plan);
    }

    /// <summary>Decodes the cores and multiplies them out to two groups.</summary>
    private void MultiplyOut(MatrixView<float> first, MatrixView<float> second, ComputeContext context)
    {
        if (_cores.Length == 2)
        {
            using ScratchLease scratch = context.Rent(context.Pool.Threads, PackingFloats(_groups.Shape));
            context.Pool.For(PackingUnits(_groups.Shape), 1, (_groups.Shape, Cores: _cores, First: first, Second: second, Slots: new ScratchSlots(scratch.View)), static (start, end, on) =>
            {
                int slot = on.Slots.Take();
                Pack(start, end, on.Shape, on.Cores, on.First, on.Second, on.Slots.Row(slot));
                on.Slots.Return(slot);
            });
            return;
        }

        using ScratchLease decoded = context.Rent(1, (nint)_cores.Sum(core => (long)core.Rows * core.Columns));
        nint start = 0;
        var cores = new MatrixView<float>[_cores.Length];
        for (int site = 0; site < cores.Length; site++)
        {
            nint elements = _cores[site].Rows * _cores[site].Columns;
            MatrixView<float> flat = decoded.View.ColumnRange(start, elements);
            _cores[site].DecodeRows(0, flat.Row(0));
            cores[site] = flat.Contiguous(_cores[site].Rows, _cores[site].Columns);
            start += elements;
        }

        _groups.MultiplyOut(site => cores[site], first, second, context);
    }

    /// <summary>Units of <see cref="Pack"/>: each o_1 of the first of two cores, then each r of the second.</summary>
    private static nint PackingUnits(TwoSiteShape shape) => (nint)shape.Outputs1 + shape.Bond;

    private static nint PackingFloats(TwoSiteShape shape) => nint.Max((nint)shape.Inputs1 * shape.Bond, (nint)shape.Outputs2 * shape.Inputs2);

    /// <summary>Decodes two cores, [o_1, (i_1, r)] and [(r, o_2), i_2], to the order of the kernel.</summary>
    private static void Pack(nint start, nint end, TwoSiteShape shape, IReadOnlyList<StoredCore> cores, MatrixView<float> first, MatrixView<float> second, Span<float> scratch)
    {
        for (nint unit = start; unit < end; unit++)
        {
            if (unit < shape.Outputs1)
            {
                Span<float> row = scratch[..cores[0].Columns];
                cores[0].DecodeRows(unit, row);
                TwoSiteProduct.PackFirst(shape, unit, row, first);
            }
            else
            {
                nint bond = unit - shape.Outputs1;
                Span<float> rows = scratch[..(shape.Outputs2 * shape.Inputs2)];
                cores[1].DecodeRows(bond * shape.Outputs2, rows);
                TwoSiteProduct.PackSecond(shape, bond, rows, second);
            }
        }
    }

    private void ReadCoreRow(int site, nint row, Span<float> destination)
    {
        if (_first is null) _cores[site].DecodeRows(row, destination);
        else if (site == 0) TwoSiteProduct.UnpackFirst(_groups.Shape, row, _first.View, destination);
        else TwoSiteProduct.UnpackRow(_groups.Shape, row, _second!.View, destination);
    }

    private static MatrixView<float> Pad(MatrixView<float> input, MatrixView<float> padded)
    {
        for (nint token = 0; token < input.Rows; token++)
        {
            Span<float> row = padded.Row(token);
            input.Row(token).CopyTo(row);
            row[(int)input.Columns..].Clear();
        }

        return padded;
    }
}
