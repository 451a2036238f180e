using System.Globalization;
using TensorCompress.Compression.Mpo.Contraction;

namespace TensorCompress.Compression.Mpo;

/// <summary>What an operator says about itself: split, bonds and how much of each is used, parameters, errors, and the way it multiplies.</summary>
internal static class MpoExplanation
{
    /// <summary>Facts and the singular values of every bond.</summary>
    public static WeightExplanation Of(MatrixProductOperator chain, CoreFormat format, MpoPlan plan)
    {
        double[][] spectra = chain.BondSpectra();
        long[] useful = chain.Factors.UsefulBonds();
        double dense = (double)chain.OutputDimension * chain.InputDimension;
        var groups = new CoreGroups(chain.Factors, chain.BondDimensions);
        ContractionPath path = ContractionModel.Choose(plan, groups.Shape, tokens: 1);
        double multiplications = groups.Multiplications + groups.Shape.UsefulMultiplications(path);
        var facts = new List<KeyValuePair<string, string>>
        {
            new("sites", string.Join(", ", chain.Factors.Outputs.Zip(chain.Factors.Inputs, (outputs, inputs) => $"{outputs} x {inputs}"))),
            new("bonds", string.Join(", ", spectra.Select((_, bond) => $"{chain.BondDimensions[bond + 1]} of {useful[bond]}"))),
            new("entanglement entropy", string.Join(", ", spectra.Select((values, bond) => string.Create(CultureInfo.InvariantCulture, $"{Entropy(values):F2} of {Math.Log2(chain.BondDimensions[bond + 1]):F2} bits")))),
            new("parameters", string.Create(CultureInfo.InvariantCulture, $"{chain.ParameterCount:N0}, {chain.ParameterCount / dense:P1} of {dense:N0}")),
            new("cores", $"{format.OptionName()}, {format.ByteLength(chain.Factors, chain.BondDimensions).ToString("N0", CultureInfo.InvariantCulture)} bytes"),
            new("relative error", chain.RelativeError?.ToString("G4", CultureInfo.InvariantCulture) ?? "not known"),
            new("multiplies", $"{Describe(path)}{(groups.Multiplications > 0 ? ", after multiplying the cores out to two groups" : "")}"),
            new("multiplications a token", string.Create(CultureInfo.InvariantCulture, $"{multiplications:N0}, {multiplications / dense:F2} of the dense product")),
        };
        if (chain.Factors.Sites == 2) facts.Insert(1, new("Kronecker sum", $"{chain.BondDimensions[1]} terms, {facts[0].Value.Replace(", ", " by ", StringComparison.Ordinal)}"));
        if (spectra.Length == 0) facts.RemoveRange(1, 2);
        if (IsMatrixProduct(chain.Factors)) facts.Insert(1, new("form", $"a product of two matrices of rank {chain.BondDimensions[1]}: this split makes the operator a low-rank factorisation"));
        return new WeightExplanation(facts, [.. spectra.Select((values, bond) => new WeightSpectrum($"singular values of bond {bond + 1}", values))]);
    }

    /// <summary>-sum p log2 p with p the shares of the squared singular values: how many bits one side of the bond tells about the other.</summary>
    public static double Entropy(IReadOnlyList<double> values)
    {
        double square = values.Sum(value => value * value), entropy = 0;
        foreach (double value in values)
        {
            double share = square == 0 ? 0 : value * value / square;
            if (share > 0) entropy -= share * Math.Log2(share);
        }

        return entropy;
    }

    /// <summary>Whether one site has all rows and the other all columns.</summary>
    private static bool IsMatrixProduct(SiteFactors factors) =>
        factors.Sites == 2 && ((factors.Outputs[0] == 1 && factors.Inputs[1] == 1) || (factors.Outputs[1] == 1 && factors.Inputs[0] == 1));

    private static string Describe(ContractionPath path) => path switch
    {
        ContractionPath.FromRight => "core by core from the last site",
        ContractionPath.FromLeft => "core by core from the first site",
        _ => "by panels of W that are rebuilt",
    };
}
