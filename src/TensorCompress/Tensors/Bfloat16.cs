namespace TensorCompress.Tensors;

/// <summary>Conversion between binary32 and bfloat16 (its upper 16 bits).</summary>
public static class Bfloat16
{
    /// <summary>Rounds to the nearest bfloat16, ties to even. NaN stays NaN.</summary>
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x0040); // keep it quiet: the payload's upper bits may be zero
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>The exact float of a bfloat16.</summary>
    public static float ToSingle(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);
}
