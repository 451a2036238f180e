using TensorCompress.Tensors;

namespace TensorCompress.Storage;

/// <summary>The one place that multiplies sizes from files: every product is checked before anything is allocated.</summary>
internal static class CheckedSizes
{
    /// <summary>Product of the dimensions; a zero does not excuse an overflow of the others.</summary>
    /// <returns>Null where the product of the non-zero dimensions does not fit into 63 bits.</returns>
    public static long? ElementCount(ReadOnlySpan<ulong> shape)
    {
        UInt128 product = 1;
        bool hasZero = false;
        foreach (ulong dimension in shape)
        {
            if (dimension == 0) hasZero = true;
            else product *= dimension;
            if (product > long.MaxValue) return null;
        }

        return hasZero ? 0 : (long)product;
    }

    /// <summary>Bits of an element count; null on overflow.</summary>
    public static long? BitCount(long elements, int bitsPerElement)
    {
        UInt128 bits = (UInt128)elements * (uint)bitsPerElement;
        return bits > long.MaxValue ? null : (long)bits;
    }

    /// <summary>Bits of elements of a type; null on overflow.</summary>
    public static long? BitCount(long elements, ElementType type) => BitCount(elements, type.BitWidth());
}
