using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>One register's share of the sixteen lanes of <see cref="ISimd{TSelf}"/>: kernels that need many sums at a time work on one share after the other.</summary>
internal unsafe interface ILaneSlice<TSelf>
    where TSelf : struct, ILaneSlice<TSelf>
{
    /// <summary>Lanes of the slice; divides sixteen.</summary>
    static abstract int Lanes { get; }

    static abstract TSelf Zero { get; }

    static abstract TSelf Load(float* source);

    static abstract void Store(TSelf value, float* destination);

    /// <summary>sum = a * b + sum, fused where the CPU can, as in <see cref="ISimd{TSelf}.Accumulate"/>.</summary>
    static abstract void Accumulate(ref TSelf sum, TSelf a, TSelf b);
}

/// <summary>All sixteen lanes.</summary>
internal readonly unsafe struct Slice512(Vector512<float> value) : ILaneSlice<Slice512>
{
    private readonly Vector512<float> _value = value;

    public static int Lanes => 16;

    public static Slice512 Zero => new(Vector512<float>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Slice512 Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Slice512 value, float* destination) => value._value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Slice512 sum, Slice512 a, Slice512 b) => sum = new(Vector512.MultiplyAddEstimate(a._value, b._value, sum._value));
}

/// <summary>Eight lanes.</summary>
internal readonly unsafe struct Slice256(Vector256<float> value) : ILaneSlice<Slice256>
{
    private readonly Vector256<float> _value = value;

    public static int Lanes => 8;

    public static Slice256 Zero => new(Vector256<float>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Slice256 Load(float* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Slice256 value, float* destination) => value._value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Slice256 sum, Slice256 a, Slice256 b) => sum = new(Vector256.MultiplyAddEstimate(a._value, b._value, sum._value));
}

/// <summary>Four lanes.</summary>
internal readonly unsafe struct Slice128(Vector128<float> value) : ILaneSlice<Slice128>
{
    private readonly Vector128<float> _value = value;

    public static int Lanes => 4;

    public static Slice128 Zero => new(Vector128<float>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Slice128 Load(float* source) => new(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Slice128 value, float* destination) => value._value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Slice128 sum, Slice128 a, Slice128 b) => sum = new(Vector128.MultiplyAddEstimate(a._value, b._value, sum._value));
}

/// <summary>One lane.</summary>
internal readonly unsafe struct SliceScalar(float value) : ILaneSlice<SliceScalar>
{
    private readonly float _value = value;

    public static int Lanes => 1;

    public static SliceScalar Zero => default;

    public static SliceScalar Load(float* source) => new(*source);

    public static void Store(SliceScalar value, float* destination) => *destination = value._value;

    public static void Accumulate(ref SliceScalar sum, SliceScalar a, SliceScalar b) => sum = new(float.MultiplyAddEstimate(a._value, b._value, sum._value));
}
