using System.Buffers.Binary;
using System.Runtime.InteropServices;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>Conversions between stored little-endian elements and 32-bit floats.</summary>
public static class ElementConversion
{
    /// <summary>Reads <paramref name="source"/> as elements of <paramref name="type"/> into floats, one for one.</summary>
    /// <param name="type">A numeric type (<see cref="ElementTypes.IsNumeric"/>).</param>
    /// <param name="source">Little-endian elements, no alignment needed.</param>
    /// <param name="destination">As many floats as elements. NaN and infinities are kept; F64 and wide integers are rounded to nearest.</param>
    /// <exception cref="ArgumentException">The lengths do not fit, or the type has no numeric reading.</exception>
    public static void ToSingle(ElementType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        if (!type.IsNumeric()) throw new ArgumentException($"Elements of type {type.Name()} cannot be read as numbers.", nameof(type));
        int size = type.BitWidth() / 8;
        if (source.Length != (long)destination.Length * size)
            throw new ArgumentException($"{destination.Length} elements of {type.Name()} take {(long)destination.Length * size} bytes, not {source.Length}.", nameof(source));
        switch (type)
        {
            case ElementType.F32: source.CopyTo(MemoryMarshal.AsBytes(destination)); break;
            case ElementType.F16: HalfPrecision.Widen<HalfFormat>(MemoryMarshal.Cast<byte, ushort>(source), destination); break;
            case ElementType.BF16: HalfPrecision.Widen<BfloatFormat>(MemoryMarshal.Cast<byte, ushort>(source), destination); break;
            case ElementType.F64: Convert(source, destination, size, static s => (float)BinaryPrimitives.ReadDoubleLittleEndian(s)); break;
            case ElementType.I8: Convert(source, destination, size, static s => (sbyte)s[0]); break;
            case ElementType.I16: Convert(source, destination, size, static s => BinaryPrimitives.ReadInt16LittleEndian(s)); break;
            case ElementType.I32: Convert(source, destination, size, static s => BinaryPrimitives.ReadInt32LittleEndian(s)); break;
            case ElementType.I64: Convert(source, destination, size, static s => BinaryPrimitives.ReadInt64LittleEndian(s)); break;
            case ElementType.U8 or ElementType.Bool: Convert(source, destination, size, static s => s[0]); break;
            case ElementType.U16: Convert(source, destination, size, static s => BinaryPrimitives.ReadUInt16LittleEndian(s)); break;
            case ElementType.U32: Convert(source, destination, size, static s => BinaryPrimitives.ReadUInt32LittleEndian(s)); break;
            case ElementType.U64: Convert(source, destination, size, static s => BinaryPrimitives.ReadUInt64LittleEndian(s)); break;
        }
    }

    /// <summary>Writes floats as little-endian elements of a float type, rounding to nearest even.</summary>
    /// <param name="source">Floats.</param>
    /// <param name="type"><see cref="ElementType.F32"/>, <see cref="ElementType.F16"/> or <see cref="ElementType.BF16"/>.</param>
    /// <param name="destination">As many bytes as the elements take.</param>
    /// <exception cref="ArgumentException">The lengths do not fit, or the type is not one of the three.</exception>
    public static void FromSingle(ReadOnlySpan<float> source, ElementType type, Span<byte> destination)
    {
        if (destination.Length != (long)source.Length * type.BitWidth() / 8)
            throw new ArgumentException($"{source.Length} elements of {type.Name()} take {(long)source.Length * type.BitWidth() / 8} bytes, not {destination.Length}.", nameof(destination));
        switch (type)
        {
            case ElementType.F32: MemoryMarshal.AsBytes(source).CopyTo(destination); break;
            case ElementType.F16: HalfPrecision.Round<HalfFormat>(source, MemoryMarshal.Cast<byte, ushort>(destination)); break;
            case ElementType.BF16: HalfPrecision.Round<BfloatFormat>(source, MemoryMarshal.Cast<byte, ushort>(destination)); break;
            default: throw new ArgumentException($"Weights are stored as F32, F16 or BF16, not {type.Name()}.", nameof(type));
        }
    }

    private delegate float ElementReader(ReadOnlySpan<byte> element);

    private static void Convert(ReadOnlySpan<byte> source, Span<float> destination, int size, ElementReader read)
    {
        for (int i = 0; i < destination.Length; i++) destination[i] = read(source.Slice(i * size, size));
    }
}
