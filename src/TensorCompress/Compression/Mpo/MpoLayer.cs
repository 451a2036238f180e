using System.Numerics.Tensors;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>A matrix product operator that multiplies core by core; W is never built.</summary>
/// <remarks>
/// A token's activations are a tensor [i_1 ... i_L]; each step contracts one site's input digit and the open bond with its core and leaves the output digit and the next
/// bond. The sites are taken from the left or from the right, whichever needs fewer multiplications for this shape; the number of tokens does not matter,
/// so a token has the same result alone and in a batch.
/// </remarks>
public sealed class MpoLayer : LinearLayer
{
    /// <summary>Floats of intermediate states for which tokens are taken together: about a second-level cache.</summary>
    private const long ScratchFloats = 1 << 19;

    private readonly ContractionStep[] _steps;
    private readonly SiteFactors _factors;
    private readonly bool _fromLeft;

    internal MpoLayer(MatrixProductOperator chain, ElementType type)
        : base(chain.OutputDimension, chain.InputDimension)
    {
        _factors = chain.Factors;
        _fromLeft = Multiplications(chain, fromLeft: true) < Multiplications(chain, fromLeft: false);
        _steps = [.. Enumerable.Range(0, _factors.Sites).Select(order => new ContractionStep(chain, SiteAt(order, _factors.Sites, _fromLeft), _fromLeft, type))];
        MultiplicationsPerToken = Multiplications(chain, _fromLeft);
    }

    /// <inheritdoc/>
    public override long ResidentBytes => _steps.Sum(step => step.ByteLength);

    /// <summary>Multiplications for one token; the dense product has output x input.</summary>
    public long MultiplicationsPerToken { get; }

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
    /// <param name="options">Bond dimension or share, sites, factors, type of the cores.</param>
    /// <exception cref="ArgumentException">The weights are not rows x columns many, a weight is NaN or infinite, or the options do not fit the shape.</exception>
    public static MpoLayer FromDense(ReadOnlySpan<float> weights, int rows, int columns, MpoOptions options)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights, rows, columns);
        return FromDense(matrix, options);
    }

    /// <summary>Compresses a matrix to a layer with two cores.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="chi">Limit of the bond dimension, at least 1.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, or chi is less than 1.</exception>
    public static MpoLayer FromDense(in ReadOnlyTensorSpan<float> weights, int chi) => FromDense(weights, MpoOptions.WithChi(chi));

    /// <summary>Compresses a matrix to a layer.</summary>
    /// <param name="weights">W, [output, input]; read before the call returns.</param>
    /// <param name="options">Bond dimension or share, sites, factors, type of the cores.</param>
    /// <exception cref="ArgumentException">The weights are not a matrix, a weight is NaN or infinite, or the options do not fit the shape.</exception>
    public static MpoLayer FromDense(in ReadOnlyTensorSpan<float> weights, MpoOptions options)
    {
        using Matrix<float> matrix = DenseSource.Copy(weights);
        return FromDense(matrix, options);
    }

    /// <inheritdoc/>
    protected override void Multiply(ActivationBatch input, MatrixView<float> destination, ComputeContext context)
    {
        long perToken = _steps.Sum(step => step.StateRows * (step.Depth + step.Width));
        int chunk = (int)Math.Clamp(ScratchFloats / perToken, 1, input.TokenCount);
        for (int start = 0; start < input.TokenCount; start += chunk)
        {
            int count = Math.Min(chunk, input.TokenCount - start);
            using ScratchLease state = context.Rent((nint)(count * _steps[0].StateRows), _steps[0].Depth);
            Load(input.Values.RowRange(start, count), state.View);
            Contract(0, state.View, destination.RowRange(start, count), context);
        }
    }

    /// <inheritdoc/>
    protected override void ReadRow(int row, Span<float> destination)
    {
        // The steps backwards give the input digits in the order of the row from the right, and in reverse order from the left.
        double[] state = [1];
        foreach (ContractionStep step in _steps.Reverse())
        {
            int stride = _fromLeft ? _factors.OutputDimension / (step.Outer * step.Outputs) : step.Inner, output = row / stride % step.Outputs;
            float[] buffer = new float[step.Depth];
            state = RowContraction.Append(state, step.BondOut, step.Depth, bond => step.Slice(output, bond, buffer));
        }

        for (int i = 0; i < destination.Length; i++) destination[i] = (float)state[_fromLeft ? ReverseDigits(i) : i];
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (ContractionStep step in _steps) step.Dispose();
        }

        base.Dispose(disposing);
    }

    private static MpoLayer FromDense(Matrix<float> weights, MpoOptions options)
    {
        using MatrixProductOperator chain = MpoFactorizer.Factorize(weights.View, options);
        return new MpoLayer(chain, options.Type);
    }

    private static int SiteAt(int order, int sites, bool fromLeft) => fromLeft ? order : sites - 1 - order;

    /// <summary>sum over sites of state rows x depth x width.</summary>
    private static long Multiplications(MatrixProductOperator chain, bool fromLeft)
    {
        SiteFactors factors = chain.Factors;
        long rows = factors.InputDimension, total = 0; // rows: digits of the other sites, inputs of those to come and outputs of those done
        for (int order = 0; order < factors.Sites; order++)
        {
            int site = SiteAt(order, factors.Sites, fromLeft);
            rows /= factors.Inputs[site];
            total += rows * factors.Inputs[site] * factors.Outputs[site] * chain.BondDimensions[site] * chain.BondDimensions[site + 1];
            rows *= factors.Outputs[site];
        }

        return total;
    }

    private void Contract(int order, MatrixView<float> state, MatrixView<float> destination, ComputeContext context)
    {
        ContractionStep step = _steps[order];
        using ScratchLease product = context.Rent(state.Rows, step.Width);
        MultiplyCore(step, state, product.View, context);
        if (order == _steps.Length - 1)
        {
            Store(product.View, destination);
            return;
        }

        ContractionStep next = _steps[order + 1];
        using ScratchLease nextState = context.Rent((nint)(destination.Rows * next.StateRows), next.Depth);
        Regroup(step, next, product.View, nextState.View, context);
        Contract(order + 1, nextState.View, destination, context);
    }

    private static void MultiplyCore(ContractionStep step, MatrixView<float> state, MatrixView<float> product, ComputeContext context)
    {
        (nint rows, nint columns) = step.IsShallow ? (step.Depth, step.Width) : (step.Width, step.Depth);
        using ScratchLease decoded = context.Rent(step.Floats is null ? rows : 0, columns);
        if (step.Floats is null) step.Decode(decoded.View);
        MatrixView<float> core = step.Floats?.View ?? decoded.View;
        if (step.IsShallow) LinearProduct.Combine(core, state, product, context.Pool);
        else LinearProduct.Forward(core, state, product, context.Pool);
    }

    /// <summary>Activations [token, (i_1 ... i_L)] to the first state [(token, other digits), digit of the first site], padded with zeros.</summary>
    private void Load(MatrixView<float> input, MatrixView<float> state)
    {
        ContractionStep first = _steps[0];
        nint rest = (nint)first.StateRows;
        for (nint row = 0; row < state.Rows; row++)
        {
            (nint token, nint others) = Math.DivRem(row, rest);
            ReadOnlySpan<float> source = input.Row(token);
            Span<float> digits = state.Row(row);
            (nint start, nint step) = _fromLeft ? (others, rest) : (others * first.Inputs, 1);
            for (int i = 0; i < digits.Length; i++)
            {
                nint index = start + i * step;
                digits[i] = index < source.Length ? source[(int)index] : 0;
            }
        }
    }

    /// <summary>The last product [(token, other digits), digit of the last site] to results [token, (o_1 ... o_L)], padding cut off.</summary>
    private void Store(MatrixView<float> product, MatrixView<float> destination)
    {
        ContractionStep last = _steps[^1];
        nint rest = (nint)last.StateRows;
        for (nint row = 0; row < product.Rows; row++)
        {
            (nint token, nint others) = Math.DivRem(row, rest);
            ReadOnlySpan<float> digits = product.Row(row);
            Span<float> result = destination.Row(token);
            (nint start, nint step) = _fromLeft ? (others * last.Outputs, 1) : (others, rest);
            for (int o = 0; o < digits.Length; o++)
            {
                nint index = start + o * step;
                if (index < result.Length) result[(int)index] = digits[o];
            }
        }
    }

    /// <summary>A product [(token, a, j, r), (o, c)] to the next state [(token, a, o, r), (j, c)]: the next site's input digit j and the done site's output digit o change places.</summary>
    private void Regroup(ContractionStep done, ContractionStep next, MatrixView<float> product, MatrixView<float> state, ComputeContext context)
    {
        nint inner = _fromLeft ? next.Inner : done.Inner, outer = product.Rows / (next.Inputs * inner);
        int bond = done.BondOut, inputs = next.Inputs, outputs = done.Outputs;
        context.Pool.For(outer, nint.Max(1, (1 << 14) / (inputs * inner * done.Width)), (start, end) =>
        {
            for (nint a = start; a < end; a++)
            {
                for (int j = 0; j < inputs; j++)
                {
                    for (nint r = 0; r < inner; r++)
                    {
                        ReadOnlySpan<float> source = product.Row((a * inputs + j) * inner + r);
                        for (int o = 0; o < outputs; o++)
                            source.Slice(o * bond, bond).CopyTo(state.Row((a * outputs + o) * inner + r)[(j * bond)..]);
                    }
                }
            }
        });
    }

    /// <summary>The place of (i_1 ... i_L) in (i_L ... i_1).</summary>
    private int ReverseDigits(int index)
    {
        int reversed = 0, stride = _factors.InputDimension;
        for (int site = _factors.Sites - 1; site >= 0; site--)
        {
            (index, int digit) = Math.DivRem(index, _factors.Inputs[site]);
            stride /= _factors.Inputs[site];
            reversed += digit * stride;
        }

        return reversed;
    }
}
