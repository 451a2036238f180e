using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet;

/// <summary>A weight matrix as codes into codebooks of its column groups, in stages that are added, each after swaps of neighbours or without, behind a rotation or none.</summary>
/// <remarks>Parts of stage s: <c>swaps</c>s and <c>codes</c>s U8 [bytes], <c>codebook</c>s U8 [bytes], <c>scales</c>s F32 [grids, 2]; those of no bits are left out; behind a learnt rotation <c>rotation</c> F16 [input, input].</remarks>
public sealed class QetWeight : CompressedWeight
{
    internal const string SwapsPart = "swaps", CodesPart = "codes", CodebookPart = "codebook", ScalesPart = "scales";

    private readonly EntropyCodedParts _coded;

    internal QetWeight(QetTensor tensor, EntropyCodedParts? coded = null)
        : base((int)tensor.Rows, (int)tensor.Columns)
    {
        Tensor = tensor;
        _coded = coded ?? EntropyCodedParts.None;
        WeightPart[] rotation = tensor.Rotation is LearntRotation learnt
            ? [new WeightPart(LearntRotation.Part, ElementType.F16, [InputDimension, InputDimension], stream => stream.Write(learnt.Stored))]
            : [];
        PlainParts = [.. tensor.Stages.SelectMany(PartsOf), .. rotation];
        Parts = [.. _coded.Of(PlainParts)];
    }

    /// <summary>The matrix as the codec has it.</summary>
    public QetTensor Tensor { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => QetMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <summary>The parts as they are without entropy coding.</summary>
    internal IReadOnlyList<WeightPart> PlainParts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters => _coded.AddTo(new JsonObject
    {
        [QetMethod.FormParameter] = Form(Tensor.Plan.Options.Rotation),
        [QetMethod.SubspacesParameter] = Tensor.Plan.Options.Subspaces,
        [QetMethod.LayersParameter] = new JsonArray([.. Tensor.Plan.Options.Stages.Select(stage => (JsonNode)stage.SwapLayers)]),
        [QetMethod.CentroidsParameter] = new JsonArray([.. Tensor.Plan.Centroids.Select(count => (JsonNode)count)]),
        [QetMethod.CodebookBitsParameter] = Tensor.Plan.Options.CodebookBits,
        [QetMethod.GridPerGroupParameter] = Tensor.Plan.Options.GridPerGroup,
    });

    /// <inheritdoc/>
    public override string? Choices
    {
        get
        {
            QetOptions options = Tensor.Plan.Options;
            string rotation = options.Rotation == QetRotation.None ? "" : $"rotation {options.Rotation.ToString().ToLowerInvariant()}; ";
            return $"{rotation}swap layers {string.Join(", ", options.Stages.Select(stage => stage.SwapLayers))}; {options.Subspaces} groups of {Tensor.Plan.SubvectorLength}; centroids {string.Join(", ", Tensor.Plan.Centroids)}; codebooks of {Numbers}";
        }
    }

    // Of codebooks.
    private string Numbers => Tensor.Plan.Options is { CodebookBits: var bits and not QetOptions.FloatBits } options ? $"{bits}-bit numbers, a grid for each {(options.GridPerGroup ? "group" : "stage")}" : "floats";

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var codes = new QetLayer(Tensor);
        return Tensor.Rotation is { } rotation ? new RotatedLayer(codes, rotation) : codes;
    }

    /// <summary>What every bit of a file is for, by what its parts are.</summary>
    internal BitAccount Account()
    {
        (long rotation, long padding) = _coded.BitsOf(LearntRotation.Part, Tensor.Plan.Account.Rotation, 0);
        BitAccount sum = new(0, 0, 0, 0, padding, rotation);
        for (int stage = 0; stage < Tensor.Stages.Count; stage++)
        {
            BitAccount plain = Tensor.Plan.AccountOf(stage);
            (long Numbers, long Padding) codes = BitsOf(CodesPart + stage, plain.Codes), swaps = BitsOf(SwapsPart + stage, plain.Swaps), codebook = BitsOf(CodebookPart + stage, plain.Codebooks);
            sum += new BitAccount(codes.Numbers, swaps.Numbers, codebook.Numbers, plain.Scales, codes.Padding + swaps.Padding + codebook.Padding);
        }

        return sum;

        (long Numbers, long Padding) BitsOf(string part, long bits) => _coded.BitsOf(part, bits, BitStream.Padded(bits) - bits);
    }

    /// <summary>The same weight with parts entropy coded where that makes them smaller.</summary>
    internal QetWeight WithEntropyCoding()
    {
        var coded = new EntropyCodedParts();
        QetPlan plan = Tensor.Plan;
        for (int i = 0; i < Tensor.Stages.Count; i++)
        {
            QetEncodedStage stage = Tensor.Stages[i];
            QetEncodedStage? before = i == 0 ? null : Tensor.Stages[i - 1];
            int index = i;
            if (stage.Swaps.Length > 0) coded.Add(SwapsPart + i, stage.Swaps.Length, (ref EntropyEncoder encoder) => StageCoding.Swaps(ref encoder, plan, index, stage.Swaps));
            if (stage.Codes.Length > 0) coded.Add(CodesPart + i, stage.Codes.Length, (ref EntropyEncoder encoder) => StageCoding.Codes(ref encoder, stage.Codebook, stage.Codes, before));
            if (plan.Grids > 0) coded.Add(CodebookPart + i, stage.Codebook.Stored.Length, (ref EntropyEncoder encoder) => StageCoding.Codebook(ref encoder, plan, index, stage.Codebook.Stored));
        }

        if (Tensor.Rotation is LearntRotation learnt) coded.Add(LearntRotation.Part, learnt.ByteLength, (ref EntropyEncoder encoder) => LearntRotation.Code(ref encoder, learnt.Stored.ToArray()));
        return new QetWeight(Tensor, coded);
    }

    /// <summary>What a file calls fitted codebooks behind a rotation.</summary>
    internal static string Form(QetRotation rotation) => rotation switch
    {
        QetRotation.Hadamard => "hadamard",
        QetRotation.Learnt => "rotated",
        _ => "fitted",
    };

    /// <inheritdoc/>
    protected override void WriteDense(MatrixView<float> destination) => QetCodec.Decompress(Tensor, destination, ComputePool.Shared);

    /// <inheritdoc/>
    protected override WeightExplanation ExplainMethod()
    {
        QetPlan plan = Tensor.Plan;
        BitAccount account = Account();
        double elements = (double)OutputDimension * InputDimension;
        return new WeightExplanation(
            [
                new("form", plan.Options.Rotation switch
                {
                    QetRotation.Hadamard => "fitted codebooks behind Hadamard blocks",
                    QetRotation.Learnt => "fitted codebooks behind a learnt rotation",
                    _ => "fitted codebooks",
                }),
                new("swap layers", string.Join(", ", plan.Options.Stages.Select(stage => stage.SwapLayers))),
                new("column groups", $"{plan.Options.Subspaces} of {plan.SubvectorLength}"),
                new("centroids", string.Join(", ", plan.Centroids)),
                new("codebooks", Numbers),
                new("bits per weight", string.Create(CultureInfo.InvariantCulture, $"codes {account.Codes / elements:F3}, swaps {account.Swaps / elements:F3}, codebooks {account.Codebooks / elements:F3}, scales {account.Scales / elements:F3}, padding {account.Padding / elements:F3}, rotation {account.Rotation / elements:F3}")),
                .. _coded.Describe(PlainParts) is { } coded ? new KeyValuePair<string, string>[] { new("entropy coded", coded) } : [],
            ],
            []);
    }

    private static IEnumerable<WeightPart> PartsOf(QetEncodedStage stage, int index)
    {
        if (stage.Swaps.Length > 0) yield return Part(SwapsPart + index, stage.Swaps);
        if (stage.Codes.Length > 0) yield return Part(CodesPart + index, stage.Codes);
        yield return Part(CodebookPart + index, stage.Codebook.Stored);
        float[] scales = stage.Codebook.Scales;
        if (scales.Length > 0) yield return new WeightPart(ScalesPart + index, ElementType.F32, [scales.Length / 2, 2], stream => stream.Write(MemoryMarshal.AsBytes(scales.AsSpan())));
    }

    private static WeightPart Part(string name, byte[] bytes) => new(name, ElementType.U8, [bytes.Length], stream => stream.Write(bytes));
}
