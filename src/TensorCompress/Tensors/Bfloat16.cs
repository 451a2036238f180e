using System.Runtime.Intrinsics;

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

    /// <summary>Converts element by element; the lengths must be equal.</summary>
    public static void ToSingle(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length);
        int done = 0;
        for (; done <= source.Length - Vector256<ushort>.Count; done += Vector256<ushort>.Count)
        {
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Create(source[done..]));
            (low << 16).AsSingle().CopyTo(destination[done..]);
            (high << 16).AsSingle().CopyTo(destination[(done + Vector256<uint>.Count)..]);
        }

        for (; done < source.Length; done++) destination[done] = ToSingle(source[done]);
    }

    /// <summary>Rounds element by element; the lengths must be equal.</summary>
    public static void FromSingle(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length);
        int done = 0;
        for (; done <= source.Length - Vector256<ushort>.Count; done += Vector256<ushort>.Count)
        {
            Vector256<uint> low = Round(Vector256.Create(source[done..])), high = Round(Vector256.Create(source[(done + Vector256<float>.Count)..]));
            Vector256.Narrow(low, high).CopyTo(destination[done..]);
        }

        for (; done < source.Length; done++) destination[done] = FromSingle(source[done]);
    }

    // The upper half of each float, rounded, in the lower half of its lane.
    private static Vector256<uint> Round(Vector256<float> values)
    {
        Vector256<uint> bits = values.AsUInt32(), upper = bits >>> 16;
        Vector256<uint> rounded = (bits + Vector256.Create(0x7FFFu) + (upper & Vector256<uint>.One)) >>> 16;
        return Vector256.ConditionalSelect(Vector256.IsNaN(values).AsUInt32(), upper | Vector256.Create(0x40u), rounded);
    }
}
