using System.Numerics.Tensors;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Dbf;

/// <summary>
/// <c>y = diag(a) A diag(d) B diag(b) x</c> with matrices of signs A and B. Scales are multiplied where values are read or written anyway: b and d when tables are built, a when results are stored.
/// Each half is one loop of the pool over blocks of rows for one token, whose threads build tables when they come to it, and two for several: tables (chunks of columns), and sums.
/// </summary>
internal sealed class DbfProduct : IDisposable
{
    /// <summary>Tokens whose tables are held at a time: 4 MiB of them at 4096 columns, which the third-level cache has.</summary>
    private const int SliceTokens = 128;

    /// <summary>Signs times tokens that are worth a thread's attention: about three microseconds.</summary>
    private const long MinimumWorkPerRange = 1 << 18;

    /// <summary>
    /// Up to so many threads, which will be of one kind of core, each has one range of a token's product, and tables of its own: memory is read in one go, what is fetched ahead is what the same thread reads next, and nothing but
    /// activations comes from another core. More threads share smaller ranges, since some may be slower, and build one set of tables together.
    /// </summary>
    private const int MostEqualThreads = 4;

    /// <summary>Activations that are worth a thread's attention when they become codes.</summary>
    private const int ValuesPerRange = 1 << 13;

    /// <summary>Blocks of a range for several tokens, which pass through the cache once for all of them.</summary>
    private const int PromptBlocks = 16;

    /// <summary>Rows up to which tables of one digit cost more than they save (measured at all widths); activations become codes of eight bits there.</summary>
    private const int MostRowsOfCodes = SignBlocks.BlockRows;

    private readonly SignBlocks _outer, _inner;
    private readonly float[] _outputScale, _middleScale, _inputScale;
    private readonly SignPrecision _precision;

    /// <summary>Packs.</summary>
    /// <param name="outer">A by middle channel, [middle, outputs].</param>
    /// <param name="inner">B, [middle, inputs].</param>
    /// <param name="outputScale">a.</param>
    /// <param name="middleScale">d.</param>
    /// <param name="inputScale">b.</param>
    /// <param name="options">Precision of activations.</param>
    /// <exception cref="ArgumentException">The sizes do not fit.</exception>
    public DbfProduct(SignMatrix outer, SignMatrix inner, ReadOnlySpan<float> outputScale, ReadOnlySpan<float> middleScale, ReadOnlySpan<float> inputScale, RuntimeOptions options)
    {
        if (outer.Rows != inner.Rows || outputScale.Length != outer.Columns || middleScale.Length != inner.Rows || inputScale.Length != inner.Columns)
        {
            throw new ArgumentException(
                $"{outer.Rows} x {outer.Columns} and {inner.Rows} x {inner.Columns} signs do not go with {outputScale.Length}, {middleScale.Length} and {inputScale.Length} scales.", nameof(outer));
        }

        (_outputScale, _middleScale, _inputScale) = (outputScale.ToArray(), middleScale.ToArray(), inputScale.ToArray());
        _precision = options.Activations == ActivationPrecision.F32 ? SignPrecision.Exact : options.Signs;
        _inner = SignBlocks.FromRows(inner.Bytes, inner.Rows, inner.Columns, LayoutOf(inner.Rows));
        _outer = SignBlocks.FromColumns(outer.Bytes, outer.Columns, outer.Rows, LayoutOf(outer.Columns));
    }

    /// <summary>Bytes of native memory held; the scales are arrays.</summary>
    public long ResidentBytes => _inner.Bytes.ByteLength + _outer.Bytes.ByteLength;

    /// <summary>Multiplies.</summary>
    /// <param name="input">[tokens, inputs].</param>
    /// <param name="destination">[tokens, outputs], overwritten.</param>
    /// <param name="context">Threads and scratch memory.</param>
    public void Forward(MatrixView<float> input, MatrixView<float> destination, ComputeContext context)
    {
        using ScratchLease middle = context.Rent(nint.Min(SliceTokens, input.Rows), _inner.Rows);
        for (nint token = 0; token < input.Rows; token += SliceTokens)
        {
            nint count = nint.Min(SliceTokens, input.Rows - token);
            MatrixView<float> x = input.RowRange(token, count), h = middle.View.RowRange(0, count), y = destination.RowRange(token, count);
            if (_precision == SignPrecision.Exact)
            {
                MultiplyExactly(x, h, y, context);
            }
            else
            {
                Multiply(_inner, x, _inputScale, [], h, context);
                Multiply(_outer, h, _middleScale, _outputScale, y, context);
            }
        }
    }

    /// <summary>Writes one row of the product: <c>a[row] (A[row] diag(d) B) diag(b)</c>.</summary>
    public void ReadRow(int row, Span<float> destination)
    {
        double[] sums = new double[destination.Length];
        for (int channel = 0; channel < _middleScale.Length; channel++)
        {
            double factor = _outer.IsPositive(row, channel) ? _middleScale[channel] : -_middleScale[channel];
            for (int column = 0; column < sums.Length; column++) sums[column] += _inner.IsPositive(channel, column) ? factor : -factor;
        }

        for (int column = 0; column < sums.Length; column++) destination[column] = (float)(sums[column] * _outputScale[row] * _inputScale[column]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _inner.Dispose();
        _outer.Dispose();
    }

    private bool TakesCodes(int rows) => _precision == SignPrecision.Fast && rows <= MostRowsOfCodes;

    private SignLayout LayoutOf(int rows) => TakesCodes(rows) ? SignLayout.Words : SignProducts.Layout;

    private void Multiply(SignBlocks signs, MatrixView<float> input, float[] columnScales, float[] rowScales, MatrixView<float> destination, ComputeContext context)
    {
        if (TakesCodes(signs.Rows))
        {
            MultiplyCodes(signs, input, columnScales, rowScales, destination, context);
            return;
        }

        if (input.Rows == 1) MultiplyToken(signs, input, columnScales, rowScales, destination, context);
        else MultiplyTokens(signs, input, columnScales, rowScales, destination, context);
    }

    private void MultiplyToken(SignBlocks signs, MatrixView<float> input, float[] columnScales, float[] rowScales, MatrixView<float> destination, ComputeContext context)
    {
        nint grain = Grain(signs, 1, context.Pool);
        int copies = context.Pool.Threads > MostEqualThreads ? 1 : (int)((signs.Blocks - 1) / grain) + 1;
        for (int copy = 0; copy < copies; copy++) Reserve(context.SignTables(copy), signs, 1);
        context.Pool.For(signs.Blocks, grain, (signs, context, grain, copies, input, columnScales, rowScales, destination), static (start, end, state) =>
        {
            SignTables tables = state.context.SignTables(state.copies == 1 ? 0 : (int)(start / state.grain));
            tables.BuildTogether(state.input.Row(0), state.columnScales);
            SignProducts.Multiply(state.signs, (int)start, (int)(end - start), tables, state.rowScales, state.destination);
        });
    }

    private void MultiplyTokens(SignBlocks signs, MatrixView<float> input, float[] columnScales, float[] rowScales, MatrixView<float> destination, ComputeContext context)
    {
        SignTables tables = context.SignTables(0);
        Reserve(tables, signs, (int)input.Rows);
        context.Pool.For((nint)tables.TokenCount * tables.Chunks, 1, (tables, input, columnScales), static (start, end, state) =>
        {
            for (nint index = start; index < end; index++)
            {
                (nint token, nint chunk) = Math.DivRem(index, state.tables.Chunks);
                state.tables.Build((int)token, (int)chunk, state.input.Row(token), state.columnScales);
            }
        });
        context.Pool.For(signs.Blocks, Grain(signs, tables.TokenCount, context.Pool), (signs, tables, rowScales, destination), static (start, end, state) =>
            SignProducts.Multiply(state.signs, (int)start, (int)(end - start), state.tables, state.rowScales, state.destination));
    }

    private void Reserve(SignTables tables, SignBlocks signs, int tokens) => tables.Reserve(tokens, signs.Columns, _precision == SignPrecision.Fast ? 1 : 2, SignProducts.VectorBytes);

    private static void MultiplyCodes(SignBlocks signs, MatrixView<float> input, float[] columnScales, float[] rowScales, MatrixView<float> destination, ComputeContext context)
    {
        SignCodes codes = context.SignCodes;
        codes.Reserve((int)input.Rows, signs.Columns);
        context.Pool.For(input.Rows, ValuesPerRange / signs.Columns + 1, (codes, input, columnScales), static (start, end, state) =>
        {
            for (nint token = start; token < end; token++) state.codes.Quantize((int)token, state.input.Row(token), state.columnScales);
        });
        context.Pool.For(signs.Blocks, Grain(signs, codes.TokenCount, context.Pool), (signs, codes, rowScales, destination), static (start, end, state) =>
            SignCodeProducts.Multiply(state.signs, (int)start, (int)(end - start), state.codes, state.rowScales, state.destination));
    }

    private void MultiplyExactly(MatrixView<float> x, MatrixView<float> h, MatrixView<float> y, ComputeContext context)
    {
        using ScratchLease scaled = context.Rent(x.Rows, x.Columns);
        for (nint token = 0; token < x.Rows; token++) TensorPrimitives.Multiply(x.Row(token), _inputScale, scaled.View.Row(token));
        MultiplyExactly(_inner, scaled.View, _middleScale, h, context);
        MultiplyExactly(_outer, h, _outputScale, y, context);
    }

    private static void MultiplyExactly(SignBlocks signs, MatrixView<float> input, float[] rowScales, MatrixView<float> destination, ComputeContext context) =>
        context.Pool.For(signs.Blocks, Grain(signs, (int)input.Rows, context.Pool), (signs, input, rowScales, destination), static (start, end, state) =>
        {
            SignSums.Multiply(state.signs, (int)start, (int)(end - start), state.input, state.destination);
            int row = (int)start * SignBlocks.BlockRows, count = Math.Min((int)end * SignBlocks.BlockRows, state.signs.Rows) - row;
            for (nint token = 0; token < state.destination.Rows; token++)
            {
                Span<float> rows = state.destination.Row(token).Slice(row, count);
                TensorPrimitives.Multiply(rows, state.rowScales.AsSpan(row, count), rows);
            }
        });

    private static nint Grain(SignBlocks signs, int tokens, ComputePool pool)
    {
        nint blocks = (nint)(MinimumWorkPerRange / ((long)SignBlocks.BlockRows * signs.Columns * tokens)) / SignProducts.GroupBlocks * SignProducts.GroupBlocks + SignProducts.GroupBlocks;
        if (tokens >= SignTiles.TokensOfOneDigit) return nint.Max(blocks, PromptBlocks);
        if (pool.Threads > MostEqualThreads) return blocks;
        nint share = (signs.Blocks + pool.Threads - 1) / pool.Threads;
        return nint.Max(blocks, (share + SignProducts.GroupBlocks - 1) / SignProducts.GroupBlocks * SignProducts.GroupBlocks);
    }
}
