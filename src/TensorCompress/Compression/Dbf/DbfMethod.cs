using System.Globalization;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Dbf;

/// <summary>Double binary factorisation: two matrices of signs between three vectors of scales, at any rate; products only add.</summary>
public sealed class DbfMethod : ICompressionMethod
{
    internal const string BitsOption = "bits", MiddleOption = "middle", DiagonalShareOption = "diagonal-share", SolverOption = "solver";

    private DbfMethod()
    {
    }

    /// <summary>The method.</summary>
    public static DbfMethod Instance { get; } = new();

    /// <inheritdoc/>
    public string Name => "dbf";

    /// <inheritdoc/>
    public string Description => "two matrices of signs and three vectors of scales (double binary factorisation): any rate from half a bit; products only add";

    /// <inheritdoc/>
    public int FormatVersion => 1;

    /// <inheritdoc/>
    public IReadOnlyList<MethodOption> Options { get; } =
    [
        new(BitsOption, "B", "all stored bits per weight, scales and padding included; meant for 0.5 to 3"),
        new(MiddleOption, "N", "middle dimension, in place of the bits; at most 64 x rows x columns / (rows + columns)"),
        new(DiagonalShareOption, "S", "with calibration: how far the inputs' second moment is shrunk towards its diagonal, 0 to 1; default 0.5, and 1 with --solver paper"),
        new(SolverOption, "S", "paper for the published solver, or rounds/inner-steps/ridge/penalty-power/relaxation/power-rounds/random-starts/keeps-best/refit-sweeps/first-ridge/least-penalty/weighs-channels/flip-sweeps; default by the rate"),
    ];

    /// <inheritdoc/>
    public IReadOnlyList<MethodOptions> ShowcaseOptions { get; } = [new DbfOptions(bits: 3), new DbfOptions(bits: 2)];

    /// <inheritdoc/>
    public MethodOptions ParseOptions(IReadOnlyDictionary<string, string> values)
    {
        var read = new OptionValues(this, values);
        read.ThrowIfUnknown();
        return new DbfOptions(read.Double(BitsOption), read.Int32(MiddleOption), read.Double(DiagonalShareOption), values.TryGetValue(SolverOption, out string? solver) ? DbfSchedule.Parse(solver) : null);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">
    /// The options are of another method or do not fit the shape, a weight is NaN or infinite, a few weights are so much larger than the others that half precision does not hold the scales, or the statistics are of another layer or their
    /// second moment, shrunk, is not positive semi-definite.
    /// </exception>
    public CompressedWeight Compress(MatrixView<float> weights, MethodOptions options, CompressionContext context, IProgress<double>? progress = null, CancellationToken cancellationToken = default)
    {
        var chosen = options as DbfOptions ?? throw new ArgumentException($"Options of double binary factorisation are required, not {options.GetType().Name}.", nameof(options));
        using var factorizer = new DbfFactorizer(weights, chosen, context, cancellationToken);
        return factorizer.Run(new ToldRounds(progress, context.Status), cancellationToken);
    }

    /// <inheritdoc/>
    public CompressedWeight Read(StoredWeight stored)
    {
        int middle = stored.Int32(MiddleOption, 1, DbfOptions.MostChannels(stored.OutputDimension, stored.InputDimension));
        return new DbfWeight(
            ReadSigns(stored, DbfWeight.OuterPart, middle, stored.OutputDimension),
            ReadSigns(stored, DbfWeight.InnerPart, middle, stored.InputDimension),
            ReadScale(stored, DbfWeight.OutputPart, stored.OutputDimension),
            ReadScale(stored, DbfWeight.MiddlePart, middle),
            ReadScale(stored, DbfWeight.InputPart, stored.InputDimension),
            stored.Parameters.ContainsKey(DbfWeight.ScaleExponentParameter) ? stored.Int32(DbfWeight.ScaleExponentParameter, -DbfWeight.MostScaleExponent, DbfWeight.MostScaleExponent) : 0);
    }

    private SignMatrix ReadSigns(StoredWeight stored, string part, int middle, int columns)
    {
        using Matrix<byte> bytes = stored.ReadBytes(this, part, ElementType.U8, middle, (columns - 1) / 8 + 1);
        byte[] packed = new byte[checked((int)bytes.ByteLength)];
        for (int row = 0; row < middle; row++) bytes.Row(row).CopyTo(packed.AsSpan(row * (int)bytes.Columns));
        try
        {
            return new SignMatrix(middle, columns, packed);
        }
        catch (ArgumentException fault)
        {
            throw new TensorFormatException(TensorFormatError.Value, fault.Message, tensor: StoredParts.TensorName(stored.Layer, this, part), innerException: fault);
        }
    }

    private StoredFactor ReadScale(StoredWeight stored, string part, int length) => StoredFactor.Read(stored, this, part, ElementType.F16, [length], rows: 1);

    private sealed class ToldRounds(IProgress<double>? share, IProgress<string>? status) : IProgress<DbfProgress>
    {
        public void Report(DbfProgress value)
        {
            // Rounds take most of the time, and flips most of the rest.
            (string step, double before, double whole) = value.Stage switch
            {
                DbfStage.Rounds => ("round", 0, 0.9),
                DbfStage.Scales => ("fit of the scales", 0.9, 0.02),
                DbfStage.Flips => ("turn of flips", 0.92, 0.08),
                _ => ("result", 0, 1),
            };
            status?.Report(string.Create(CultureInfo.InvariantCulture, $"{step} {value.Step} of {value.Steps}, squared error {value.Error:G4}"));
            share?.Report(before + whole * value.Step / value.Steps);
        }
    }
}
