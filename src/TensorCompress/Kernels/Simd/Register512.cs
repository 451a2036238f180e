using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>A register of 512 bits, of floats or doubles.</summary>
internal unsafe struct Register512<T>(Vector512<T> value) : IRegister<Register512<T>, T>
    where T : unmanaged
{
    private Vector512<T> _value = value;

    public static int Count => Vector512<T>.Count;

    public static Register512<T> Zero => new(Vector512<T>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512<T> Broadcast(T value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512<T> Load(T* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Register512<T> value, T* destination) => value._value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512<T> operator *(Register512<T> left, Register512<T> right) => new(left._value * right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Register512<T> operator /(Register512<T> left, Register512<T> right) => new(left._value / right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref Register512<T> sum, Register512<T> a, Register512<T> b)
    {
        if (typeof(T) == typeof(float)) sum._value = Vector512.FusedMultiplyAdd(a._value.AsSingle(), b._value.AsSingle(), sum._value.AsSingle()).As<float, T>();
        else sum._value = Vector512.FusedMultiplyAdd(a._value.AsDouble(), b._value.AsDouble(), sum._value.AsDouble()).As<double, T>();
    }
}
