using System.Runtime.Intrinsics;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>Numbers on a grid as floats: <c>least + q step</c>, one multiply-add each.</summary>
internal static unsafe class GridNumbers
{
    private const int Lanes = 16;

    /// <summary>2^23: an integer below 2^16 in the last bits of its representation is that many units more.</summary>
    private const float Units = 1 << 23;

    /// <summary>Decodes places on a grid of up to 2^16 values.</summary>
    /// <param name="q">The places.</param>
    /// <param name="least">The value of place 0.</param>
    /// <param name="step">From one place to the next.</param>
    /// <param name="destination">As many floats.</param>
    public static void Decode(ReadOnlySpan<ushort> q, float least, float step, Span<float> destination)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Decode<Simd512>(q, least, step, destination); break;
            case SimdWidth.Bits256: Decode<Simd256>(q, least, step, destination); break;
            case SimdWidth.Bits128: Decode<Simd128>(q, least, step, destination); break;
            default: Decode<SimdScalar>(q, least, step, destination); break;
        }
    }

    /// <summary>Decodes places on a grid of up to 256 values, half of which lie below 0 in their representation.</summary>
    /// <param name="q">The places, less 128.</param>
    /// <param name="least">The value of place 0.</param>
    /// <param name="step">From one place to the next.</param>
    /// <param name="destination">As many floats.</param>
    public static void Decode(ReadOnlySpan<sbyte> q, float least, float step, Span<float> destination)
    {
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: Decode<Simd512>(q, least, step, destination); break;
            case SimdWidth.Bits256: Decode<Simd256>(q, least, step, destination); break;
            case SimdWidth.Bits128: Decode<Simd128>(q, least, step, destination); break;
            default: Decode<SimdScalar>(q, least, step, destination); break;
        }
    }

    internal static void Decode<TSimd>(ReadOnlySpan<ushort> q, float least, float step, Span<float> destination)
        where TSimd : struct, ISimd<TSimd>
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, q.Length, nameof(destination));
        TSimd from = TSimd.Broadcast(least), steps = TSimd.Broadcast(step), units = TSimd.Broadcast(Units);
        ushort* lastPlaces = stackalloc ushort[Lanes];
        float* last = stackalloc float[Lanes];
        fixed (ushort* places = q)
        fixed (float* numbers = destination)
        {
            int i = 0;
            for (; i <= q.Length - Lanes; i += Lanes) TSimd.Store(TSimd.MultiplyAdd((TSimd.LoadWords(places + i) | units) - units, steps, from), numbers + i);
            if (i == q.Length) return;
            new Span<ushort>(lastPlaces, Lanes).Clear();
            q[i..].CopyTo(new Span<ushort>(lastPlaces, Lanes));
            TSimd.Store(TSimd.MultiplyAdd((TSimd.LoadWords(lastPlaces) | units) - units, steps, from), last);
            new Span<float>(last, destination.Length - i).CopyTo(destination[i..]);
        }
    }

    internal static void Decode<TSimd>(ReadOnlySpan<sbyte> q, float least, float step, Span<float> destination)
        where TSimd : struct, ISimd<TSimd>
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, q.Length, nameof(destination));
        TSimd from = TSimd.Broadcast(least), steps = TSimd.Broadcast(step), offset = TSimd.Broadcast(128);
        float* last = stackalloc float[Lanes];
        fixed (float* numbers = destination)
        {
            int i = 0;
            for (; i <= q.Length - Lanes; i += Lanes) TSimd.Store(TSimd.MultiplyAdd(TSimd.FromSigned(Vector128.Create(q[i..])) + offset, steps, from), numbers + i);
            if (i == q.Length) return;
            Span<sbyte> places = stackalloc sbyte[Lanes];
            q[i..].CopyTo(places);
            TSimd.Store(TSimd.MultiplyAdd(TSimd.FromSigned(Vector128.Create<sbyte>(places)) + offset, steps, from), last);
            new Span<float>(last, destination.Length - i).CopyTo(destination[i..]);
        }
    }
}
