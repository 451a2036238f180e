using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>A register of 128 bits, of floats or doubles.</summary>
internal unsafe struct Register128<T>(Vector128<T> value) : IRegister<Register128<T>, T>
    where T : unmanaged
{
    private Vector128<T> _value = value;

    public static int Count => Vector128<T>.Count;

    public static Register128<T> Zero => new(Vector128<T>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128<T> Broadcast(T value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128<T> Load(T* source) => new(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Register128<T> value, T* destination) => value._value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128<T> operator *(Register128<T> left, Register128<T> right) => new(left._value * right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register128<T> operator /(Register128<T> left, Register128<T> right) => new(left._value / right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Register128<T> sum, Register128<T> a, Register128<T> b)
    {
        if (typeof(T) == typeof(float)) sum._value = Vector128.FusedMultiplyAdd(a._value.AsSingle(), b._value.AsSingle(), sum._value.AsSingle()).As<float, T>();
        else sum._value = Vector128.FusedMultiplyAdd(a._value.AsDouble(), b._value.AsDouble(), sum._value.AsDouble()).As<double, T>();
    }
}
