namespace TensorCompress.Compression.Qet.Universal;

/// <summary>In which order, and with which models, the parts of a weight of universal codebooks are entropy coded.</summary>
internal static class WordCoding
{
    /// <summary>Kinds of second codeword, by the lengths of the first.</summary>
    private const int FirstKinds = 8;

    /// <summary>Codes the rates of rows, in their order.</summary>
    /// <param name="coder">An encoder, or a decoder.</param>
    /// <param name="count">Rows.</param>
    /// <param name="rates">The part; zeros that a decoder writes over.</param>
    public static void Rates<TCoder>(ref TCoder coder, int count, Span<byte> rates)
        where TCoder : struct, IEntropyCoder
    {
        var model = new AdaptiveNumber(UniversalRate.All.Count);
        for (int row = 0; row < count; row++)
        {
            long bit = (long)row * RateAllocation.RateBits;
            int rate = model.Code(ref coder, TCoder.IsDecoder ? 0 : BitStream.Read(rates, bit, RateAllocation.RateBits));
            if (TCoder.IsDecoder) BitStream.Write(rates, bit, rate);
        }
    }

    /// <summary>Codes half-precision scales, for each rate with a model of its own.</summary>
    /// <param name="coder">An encoder, or a decoder.</param>
    /// <param name="rates">Of the rows.</param>
    /// <param name="scales">Little-endian bytes; filled by a decoder.</param>
    public static void Scales<TCoder>(ref TCoder coder, ReadOnlySpan<byte> rates, Span<byte> scales)
        where TCoder : struct, IEntropyCoder
    {
        AdaptiveNumber[] models = [.. UniversalRate.All.Select(_ => HalfCoding.NewModel())];
        for (int row = 0; row < rates.Length; row++) HalfCoding.Code(ref coder, models[rates[row]], scales.Slice(row * sizeof(ushort), sizeof(ushort)));
    }

    /// <summary>Codes words: of each row, vector after vector, the first and the second.</summary>
    /// <param name="coder">An encoder, or a decoder.</param>
    /// <param name="rates">Of the rows.</param>
    /// <param name="segments">Vectors of a row.</param>
    /// <param name="source">The words as weights have them, each row from a byte on; a decoder needs none.</param>
    /// <param name="destination">Zeros that a decoder writes words over; an encoder needs none.</param>
    public static void Words<TCoder>(ref TCoder coder, ReadOnlySpan<byte> rates, int segments, ReadOnlySpan<byte> source, Span<byte> destination)
        where TCoder : struct, IEntropyCoder
    {
        Models[] models = [.. UniversalRate.All.Select(rate => new Models(rate))];
        int start = 0;
        foreach (byte index in rates)
        {
            int length = UniversalRate.All[index].RowBytes(segments);
            Row(ref coder, models[index], segments, TCoder.IsDecoder ? source : source.Slice(start, length), TCoder.IsDecoder ? destination.Slice(start, length) : destination);
            start += length;
        }
    }

    private static void Row<TCoder>(ref TCoder coder, Models models, int segments, ReadOnlySpan<byte> source, Span<byte> destination)
        where TCoder : struct, IEntropyCoder
    {
        UniversalRate rate = models.Rate;
        for (int segment = 0; segment < segments; segment++)
        {
            long bit = (long)segment * rate.Bits;
            int word = Word(ref coder, rate.First, models.First, TCoder.IsDecoder ? 0 : BitStream.Read(source, bit, rate.First.Bits));
            if (TCoder.IsDecoder) BitStream.Write(destination, bit, word);
            if (rate.Second is not { } second) continue;
            bit += rate.First.Bits;
            AdaptiveNumber model = models.SecondBehind(word >> rate.First.IndexShift);
            word = Word(ref coder, second, model, TCoder.IsDecoder ? 0 : BitStream.Read(source, bit, second.Bits));
            if (TCoder.IsDecoder) BitStream.Write(destination, bit, word);
        }
    }

    // The codeword, then signs and orders, which are coin tosses.
    private static int Word<TCoder>(ref TCoder coder, UniversalCodebook codebook, AdaptiveNumber model, int word)
        where TCoder : struct, IEntropyCoder
    {
        int tosses = codebook.IndexShift, index = codebook.Order.Code(ref coder, model, word >> tosses);
        return index << tosses | coder.Bits(tosses, word & ((1 << tosses) - 1));
    }

    private sealed class Models(UniversalRate rate)
    {
        private readonly AdaptiveNumber[] _seconds = rate.Second is { } second ? [.. Enumerable.Range(0, FirstKinds).Select(_ => new AdaptiveNumber(second.Order.Classes))] : [];

        public UniversalRate Rate { get; } = rate;

        public AdaptiveNumber First { get; } = new(rate.First.Order.Classes);

        /// <summary>The model of second codewords by the length of the first: a long codeword stands for a wide cell, which leaves long rests.</summary>
        public AdaptiveNumber SecondBehind(int first) => _seconds[Rate.First.Order.ClassOf(first) * FirstKinds / Rate.First.Order.Classes];
    }
}
