using System.Buffers.Binary;

namespace TensorCompress.Compression.Qet;

/// <summary>Numbers in half precision: sign, exponent and the first three bits of the fraction are modelled, the other seven are not.</summary>
internal static class HalfCoding
{
    private const int FractionBits = 7;

    /// <summary>A model of the upper bits.</summary>
    public static AdaptiveNumber NewModel() => new(1 << (16 - FractionBits));

    /// <summary>Codes a number.</summary>
    /// <param name="coder">An encoder, or a decoder.</param>
    /// <param name="model">Of its upper bits.</param>
    /// <param name="half">Its two little-endian bytes; written by a decoder.</param>
    public static void Code<TCoder>(ref TCoder coder, AdaptiveNumber model, Span<byte> half)
        where TCoder : struct, IEntropyCoder
    {
        int bits = TCoder.IsDecoder ? 0 : BinaryPrimitives.ReadUInt16LittleEndian(half);
        int upper = model.Code(ref coder, bits >> FractionBits), lower = coder.Bits(FractionBits, bits & ((1 << FractionBits) - 1));
        if (TCoder.IsDecoder) BinaryPrimitives.WriteUInt16LittleEndian(half, (ushort)(upper << FractionBits | lower));
    }
}
