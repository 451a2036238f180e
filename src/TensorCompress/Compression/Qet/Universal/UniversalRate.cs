using TensorCompress.Kernels;

namespace TensorCompress.Compression.Qet.Universal;

/// <summary>How many bits a row spends: one codebook, or two, the second one for what the first one leaves.</summary>
/// <param name="First">The first stage.</param>
/// <param name="Second">The second stage, or none.</param>
/// <param name="Ratio">Scale of the second stage over that of the first; a few bits, so that sums of stages are exact.</param>
/// <param name="Distortion">Squared error of a normal number.</param>
internal sealed record UniversalRate(UniversalCodebook First, UniversalCodebook? Second, float Ratio, double Distortion)
{
    /// <summary>All of them, by ascending bits; files hold indexes into this list. What a further bit gains falls from one to the next.</summary>
    public static IReadOnlyList<UniversalRate> All { get; } =
    [
        new(UniversalCodebook.Signs16, null, 0, 0.192),
        new(UniversalCodebook.Signs256, null, 0, 0.0950),
        new(UniversalCodebook.Signs4096, null, 0, 0.0494),
        new(UniversalCodebook.OrderedSigns4096, null, 0, 0.0263),
        new(UniversalCodebook.Signs256, UniversalCodebook.Signs256, 5 / 16f, 0.0094),
        new(UniversalCodebook.OrderedSigns4096, UniversalCodebook.Signs256, 5 / 32f, 0.0026),
    ];

    /// <summary>How rows lie in memory and files.</summary>
    public CodewordFormat Format { get; } = new(First.Codewords, Second?.Codewords, Ratio);

    /// <summary>Bits for eight numbers.</summary>
    public int Bits => Format.Bits;

    /// <summary>Bytes of a row of so many segments of eight.</summary>
    public int RowBytes(int segments) => BitStream.ByteLength(segments, Bits);
}
