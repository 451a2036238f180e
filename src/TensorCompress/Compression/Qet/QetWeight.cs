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

    internal QetWeight(QetTensor tensor)
        : base((int)tensor.Rows, (int)tensor.Columns)
    {
        Tensor = tensor;
        WeightPart[] rotation = tensor.Rotation is LearntRotation learnt
            ? [new WeightPart(LearntRotation.Part, ElementType.F16, [InputDimension, InputDimension], stream => stream.Write(learnt.Stored))]
            : [];
        Parts = [.. tensor.Stages.SelectMany(PartsOf), .. rotation];
    }

    /// <summary>The matrix as the codec has it.</summary>
    public QetTensor Tensor { get; }

    /// <inheritdoc/>
    public override ICompressionMethod Method => QetMethod.Instance;

    /// <inheritdoc/>
    public override IReadOnlyList<WeightPart> Parts { get; }

    /// <inheritdoc/>
    public override JsonObject Parameters => new()
    {
        [QetMethod.FormParameter] = Form(Tensor.Plan.Options.Rotation),
        [QetMethod.SubspacesParameter] = Tensor.Plan.Options.Subspaces,
        [QetMethod.LayersParameter] = new JsonArray([.. Tensor.Plan.Options.Stages.Select(stage => (JsonNode)stage.SwapLayers)]),
        [QetMethod.CentroidsParameter] = new JsonArray([.. Tensor.Plan.Centroids.Select(count => (JsonNode)count)]),
        [QetMethod.CodebookBitsParameter] = Tensor.Plan.Options.CodebookBits,
        [QetMethod.GridPerGroupParameter] = Tensor.Plan.Options.GridPerGroup,
    };

    /// <inheritdoc/>
    public override string? Choices
    {
        get
        {
            QetOptions options = Tensor.Plan.Options;
            string rotation = options.Rotation == QetRotation.None ? "" : $"rotation {options.Rotation.ToString().ToLowerInvariant()}; ";
            return $"{rotation}swap layers {string.Join(", ", options.Stages.Select(stage => stage.SwapLayers))}; {options.Subspaces} groups of {Tensor.Plan.SubvectorLength}; centroids {string.Join(", ", Tensor.Plan.Centroids)}";
        }
    }

    /// <inheritdoc/>
    public override LinearLayer CreateLayer(RuntimeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var codes = new QetLayer(Tensor);
        return Tensor.Rotation is { } rotation ? new RotatedLayer(codes, rotation) : codes;
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
        BitAccount account = plan.Account;
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
                new("bits per weight", string.Create(CultureInfo.InvariantCulture, $"codes {account.Codes / elements:F3}, swaps {account.Swaps / elements:F3}, codebooks {account.Codebooks / elements:F3}, scales {account.Scales / elements:F3}, padding {account.Padding / elements:F3}, rotation {account.Rotation / elements:F3}")),
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
