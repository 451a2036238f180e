namespace TensorCompress.Tensors;

/// <summary>The element types that a tensor file can hold. Names follow the safetensors format.</summary>
/// <remarks>
/// Values of <see cref="F32"/>, <see cref="F16"/>, <see cref="BF16"/>, <see cref="F64"/>, the integers and <see cref="Bool"/> can be
/// read as numbers; the other types are carried bit for bit.
/// </remarks>
public enum ElementType
{
    /// <summary>IEEE 754 binary32.</summary>
    F32,

    /// <summary>IEEE 754 binary16.</summary>
    F16,

    /// <summary>The upper half of a binary32: 8 exponent bits, 7 fraction bits.</summary>
    BF16,

    /// <summary>IEEE 754 binary64.</summary>
    F64,

    /// <summary>Signed 8-bit integer.</summary>
    I8,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Unsigned 8-bit integer.</summary>
    U8,

    /// <summary>Unsigned 16-bit integer.</summary>
    U16,

    /// <summary>Unsigned 32-bit integer.</summary>
    U32,

    /// <summary>Unsigned 64-bit integer.</summary>
    U64,

    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>Complex number of two binary32.</summary>
    C64,

    /// <summary>8-bit float, 4 exponent bits, 3 fraction bits.</summary>
    F8E4M3,

    /// <summary>8-bit float, 5 exponent bits, 2 fraction bits.</summary>
    F8E5M2,

    /// <summary>8-bit power of two.</summary>
    F8E8M0,

    /// <summary>8-bit float 4/3 without negative zero and infinities.</summary>
    F8E4M3Fnuz,

    /// <summary>8-bit float 5/2 without negative zero and infinities.</summary>
    F8E5M2Fnuz,

    /// <summary>4-bit float.</summary>
    F4,

    /// <summary>6-bit float, 2 exponent bits, 3 fraction bits.</summary>
    F6E2M3,

    /// <summary>6-bit float, 3 exponent bits, 2 fraction bits.</summary>
    F6E3M2,
}

/// <summary>Facts about <see cref="ElementType"/>.</summary>
public static class ElementTypes
{
    // Index = (int)ElementType: name in safetensors headers, bits per element.
    private static readonly (string Name, int Bits)[] Table =
    [
        ("F32", 32), ("F16", 16), ("BF16", 16), ("F64", 64), ("I8", 8), ("I16", 16), ("I32", 32), ("I64", 64),
        ("U8", 8), ("U16", 16), ("U32", 32), ("U64", 64), ("BOOL", 8), ("C64", 64),
        ("F8_E4M3", 8), ("F8_E5M2", 8), ("F8_E8M0", 8), ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8),
        ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6),
    ];

    /// <summary>Bits that one element takes.</summary>
    public static int BitWidth(this ElementType type) => Table[(int)type].Bits;

    /// <summary>The type's name in safetensors headers, for instance <c>BF16</c>.</summary>
    public static string Name(this ElementType type) => Table[(int)type].Name;

    /// <summary>Whether values of the type are numbers that can be read as 32-bit floats.</summary>
    public static bool IsNumeric(this ElementType type) => type <= ElementType.Bool;

    /// <summary>Finds a type by its exact safetensors name.</summary>
    /// <returns>Whether the name is known.</returns>
    public static bool TryParse(string name, out ElementType type)
    {
        int index = Array.FindIndex(Table, entry => entry.Name == name);
        type = (ElementType)Math.Max(index, 0);
        return index >= 0;
    }
}
