namespace TensorCompress.Compression.Qet;

/// <summary>In which order, and with which models, the parts of a weight of fitted codebooks are entropy coded.</summary>
internal static class StageCoding
{
    /// <summary>Bits of a codebook's number that are modelled.</summary>
    private const int ModelledBits = 6;

    /// <summary>From so many numbers on a column group has a model of its codebook to itself.</summary>
    private const int NumbersWorthModel = 256;

    /// <summary>Kinds of code that the codes of the stage before are divided into, by the lengths of their centroids.</summary>
    private const int KindsBefore = 4;

    /// <summary>Codes swap bits, in their order: each segment of each layer has a model.</summary>
    /// <param name="coder">An encoder, or a decoder.</param>
    /// <param name="plan">Shape and stages.</param>
    /// <param name="stage">Which stage.</param>
    /// <param name="swaps">The part; zeros that a decoder writes over.</param>
    public static void Swaps<TCoder>(ref TCoder coder, QetPlan plan, int stage, Span<byte> swaps)
        where TCoder : struct, IEntropyCoder
    {
        int layers = plan.Options.Stages[stage].SwapLayers;
        var models = new AdaptiveBit[1 << layers];
        Array.Fill(models, AdaptiveBit.Unknown);
        long bit = 0;
        for (nint row = 0; row < plan.Rows; row++)
        {
            for (int layer = 0, model = 0; layer < layers; layer++)
            {
                nint pairs = plan.Columns >> (layer + 1);
                for (int segment = 0; segment < 1 << layer; segment++, model++)
                {
                    for (nint pair = 0; pair < pairs; pair++, bit++)
                    {
                        int swap = coder.Bit(ref models[model], TCoder.IsDecoder ? 0 : BitStream.Read(swaps, bit, 1));
                        if (TCoder.IsDecoder) BitStream.Write(swaps, bit, swap);
                    }
                }
            }
        }
    }

    /// <summary>Codes the numbers of a codebook on a grid, in their order.</summary>
    /// <param name="coder">An encoder, or a decoder.</param>
    /// <param name="plan">Shape and stages.</param>
    /// <param name="stage">Which stage.</param>
    /// <param name="numbers">The part; zeros that a decoder writes over.</param>
    public static void Codebook<TCoder>(ref TCoder coder, QetPlan plan, int stage, Span<byte> numbers)
        where TCoder : struct, IEntropyCoder
    {
        int bits = plan.Options.CodebookBits, lowerBits = Math.Max(0, bits - ModelledBits), lower = 1 << lowerBits, count = plan.Numbers(stage), perGroup = count / plan.Options.Subspaces;
        var model = new AdaptiveNumber(1 << (bits - lowerBits));
        for (int i = 0; i < count; i++)
        {
            if (perGroup >= NumbersWorthModel && i % perGroup == 0) model = new AdaptiveNumber(1 << (bits - lowerBits));
            long bit = (long)i * bits;
            int number = TCoder.IsDecoder ? 0 : BitStream.Read(numbers, bit, bits), upper = model.Code(ref coder, number >> lowerBits);
            number = upper << lowerBits | coder.Bits(lowerBits, number & (lower - 1));
            if (TCoder.IsDecoder) BitStream.Write(numbers, bit, number);
        }
    }

    /// <summary>Codes the codes of a stage, in their order.</summary>
    /// <param name="coder">An encoder, or a decoder.</param>
    /// <param name="codebook">Of the stage.</param>
    /// <param name="codes">The part; zeros that a decoder writes over.</param>
    /// <param name="before">The stage before; null for the first.</param>
    public static void Codes<TCoder>(ref TCoder coder, QetCodebook codebook, Span<byte> codes, QetEncodedStage? before)
        where TCoder : struct, IEntropyCoder
    {
        QetPlan plan = codebook.Plan;
        int groups = plan.Options.Subspaces, bits = plan.CodeBits(codebook.Stage);
        LengthOrder[] orders = Orders(codebook, groups), ordersBefore = before is null ? [] : Orders(before.Codebook, groups);
        AdaptiveNumber[] models = [.. Enumerable.Range(0, before is null ? 1 : KindsBefore).Select(_ => new AdaptiveNumber(orders[0].Classes))];
        long bit = 0;
        for (nint row = 0; row < plan.Rows; row++)
        {
            for (int group = 0; group < groups; group++, bit += bits)
            {
                int kind = before is null ? 0 : ordersBefore[group].ClassOf(before.Code(row, groups, group)) * KindsBefore / ordersBefore[group].Classes;
                int code = orders[group].Code(ref coder, models[kind], TCoder.IsDecoder ? 0 : BitStream.Read(codes, bit, bits));
                if (TCoder.IsDecoder) BitStream.Write(codes, bit, code);
            }
        }
    }

    private static LengthOrder[] Orders(QetCodebook codebook, int groups)
    {
        int centroids = codebook.Plan.Centroids[codebook.Stage];
        float[] values = new float[codebook.Plan.SubvectorLength];
        return
        [
            .. Enumerable.Range(0, groups).Select(group => new LengthOrder(
            [
                .. Enumerable.Range(0, centroids).Select(index =>
                {
                    codebook.Centroid(group, index, values);
                    double sum = 0; // squares of floats are exact
                    foreach (float value in values) sum += (double)value * value;
                    return sum;
                }),
            ])),
        ];
    }
}
