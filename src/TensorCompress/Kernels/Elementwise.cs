using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>A function of one float, stated once for all widths.</summary>
internal interface IUnaryOperation
{
    static abstract TSimd Apply<TSimd>(TSimd x)
        where TSimd : struct, ISimd<TSimd>;
}

/// <summary>A function of two floats, stated once for all widths.</summary>
internal interface IBinaryOperation
{
    static abstract TSimd Apply<TSimd>(TSimd x, TSimd y)
        where TSimd : struct, ISimd<TSimd>;
}

/// <summary>Element by element over spans; the last lanes run through the same body on a padded copy. Source and destination may be the same span.</summary>
internal static class Elementwise
{
    public static void Map<TOperation>(ReadOnlySpan<float> source, Span<float> destination)
        where TOperation : struct, IUnaryOperation
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length);
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: MapCore<Simd512, TOperation>(source, destination); break;
            case SimdWidth.Bits256: MapCore<Simd256, TOperation>(source, destination); break;
            case SimdWidth.Bits128: MapCore<Simd128, TOperation>(source, destination); break;
            default: MapCore<SimdScalar, TOperation>(source, destination); break;
        }
    }

    public static void Combine<TOperation>(ReadOnlySpan<float> left, ReadOnlySpan<float> right, Span<float> destination)
        where TOperation : struct, IBinaryOperation
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(right.Length, left.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, left.Length);
        switch (SimdLevel.Active)
        {
            case SimdWidth.Bits512: CombineCore<Simd512, TOperation>(left, right, destination); break;
            case SimdWidth.Bits256: CombineCore<Simd256, TOperation>(left, right, destination); break;
            case SimdWidth.Bits128: CombineCore<Simd128, TOperation>(left, right, destination); break;
            default: CombineCore<SimdScalar, TOperation>(left, right, destination); break;
        }
    }

    /// <summary>destination = left + right.</summary>
    public static void Add(ReadOnlySpan<float> left, ReadOnlySpan<float> right, Span<float> destination) => Combine<AddOperation>(left, right, destination);

    internal static unsafe void MapCore<TSimd, TOperation>(ReadOnlySpan<float> source, Span<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TOperation : struct, IUnaryOperation
    {
        fixed (float* from = source, to = destination)
        {
            int i = 0;
            for (; i <= source.Length - 16; i += 16) TSimd.Store(TOperation.Apply(TSimd.Load(from + i)), to + i);
            if (i < source.Length) Lanes.Store(TOperation.Apply(Lanes.Load<TSimd>(from + i, source.Length - i)), to + i, source.Length - i);
        }
    }

    internal static unsafe void CombineCore<TSimd, TOperation>(ReadOnlySpan<float> left, ReadOnlySpan<float> right, Span<float> destination)
        where TSimd : struct, ISimd<TSimd>
        where TOperation : struct, IBinaryOperation
    {
        fixed (float* a = left, b = right, to = destination)
        {
            int i = 0;
            for (; i <= left.Length - 16; i += 16) TSimd.Store(TOperation.Apply(TSimd.Load(a + i), TSimd.Load(b + i)), to + i);
            if (i < left.Length) Lanes.Store(TOperation.Apply(Lanes.Load<TSimd>(a + i, left.Length - i), Lanes.Load<TSimd>(b + i, left.Length - i)), to + i, left.Length - i);
        }
    }

    private readonly struct AddOperation : IBinaryOperation
    {
        public static TSimd Apply<TSimd>(TSimd x, TSimd y)
            where TSimd : struct, ISimd<TSimd> => x + y;
    }
}
