using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>How a weight lies in memory, and how sixteen of them become floats in registers.</summary>
internal unsafe interface IWeightElement<TSelf>
    where TSelf : unmanaged, IWeightElement<TSelf>
{
    static abstract TSimd Load<TSimd>(TSelf* source)
        where TSimd : struct, ISimd<TSimd>;
}

/// <summary>A 32-bit float.</summary>
internal readonly unsafe struct SingleElement : IWeightElement<SingleElement>
{
    private readonly float _value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSimd Load<TSimd>(SingleElement* source)
        where TSimd : struct, ISimd<TSimd> => TSimd.Load(&source->_value);
}

/// <summary>A finite binary16 number.</summary>
internal readonly unsafe struct HalfElement : IWeightElement<HalfElement>
{
    private readonly short _bits;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSimd Load<TSimd>(HalfElement* source)
        where TSimd : struct, ISimd<TSimd> => HalfFormat.WidenFinite(TSimd.LoadShorts(&source->_bits));
}

/// <summary>A bfloat16 number.</summary>
internal readonly unsafe struct Bfloat16Element : IWeightElement<Bfloat16Element>
{
    private readonly ushort _bits;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSimd Load<TSimd>(Bfloat16Element* source)
        where TSimd : struct, ISimd<TSimd> => BfloatFormat.Widen(TSimd.LoadWords(&source->_bits));
}
