namespace TensorCompress.Compression;

/// <summary>What a compressed weight has to say about itself, for people.</summary>
/// <param name="Facts">Names with values, in reading order.</param>
/// <param name="Spectra">Series of numbers worth a look, such as singular values; may be empty.</param>
public sealed record WeightExplanation(IReadOnlyList<KeyValuePair<string, string>> Facts, IReadOnlyList<WeightSpectrum> Spectra);

/// <summary>Numbers in descending order, not negative.</summary>
/// <param name="Name">What they are.</param>
/// <param name="Values">The numbers.</param>
public sealed record WeightSpectrum(string Name, IReadOnlyList<double> Values);
