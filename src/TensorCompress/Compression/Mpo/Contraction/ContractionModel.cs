namespace TensorCompress.Compression.Mpo.Contraction;

/// <summary>Chooses a path by what it costs on paper: the paths run through one kernel at about one rate, so multiplications in lanes tell.</summary>
internal static class ContractionModel
{
    /// <summary>The path that a plan takes.</summary>
    public static ContractionPath Choose(MpoPlan plan, TwoSiteShape shape, int tokens) => plan switch
    {
        MpoPlan.FromRight => ContractionPath.FromRight,
        MpoPlan.FromLeft => ContractionPath.FromLeft,
        MpoPlan.Rebuild => ContractionPath.Rebuild,
        _ => Cheapest(shape, plan == MpoPlan.Fastest ? tokens : 1),
    };

    /// <summary>The cheapest path for a number of tokens; of equals the first listed.</summary>
    public static ContractionPath Cheapest(TwoSiteShape shape, int tokens)
    {
        double right = shape.Multiplications(ContractionPath.FromRight, tokens), left = shape.Multiplications(ContractionPath.FromLeft, tokens);
        double rebuild = shape.Multiplications(ContractionPath.Rebuild, tokens);
        if (rebuild < Math.Min(left, right)) return ContractionPath.Rebuild;
        return left < right ? ContractionPath.FromLeft : ContractionPath.FromRight;
    }
}
