using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes one by one, for CPUs without vectors and as the plainest form of every kernel.</summary>
internal struct SimdScalar : ISimd<SimdScalar>
{
    private Sixteen _lanes;

    public static SimdScalar Zero => default;

    public static SimdScalar Broadcast(float value)
    {
        SimdScalar result = default;
        for (int i = 0; i < 16; i++) result._lanes[i] = value;
        return result;
    }

    public static unsafe SimdScalar Load(float* source)
    {
        SimdScalar result = default;
        for (int i = 0; i < 16; i++) result._lanes[i] = source[i];
        return result;
    }

    public static unsafe void Store(SimdScalar value, float* destination)
    {
        for (int i = 0; i < 16; i++) destination[i] = value._lanes[i];
    }

    public static SimdScalar operator +(SimdScalar left, SimdScalar right)
    {
        for (int i = 0; i < 16; i++) left._lanes[i] += right._lanes[i];
        return left;
    }

    public static SimdScalar operator -(SimdScalar left, SimdScalar right)
    {
        for (int i = 0; i < 16; i++) left._lanes[i] -= right._lanes[i];
        return left;
    }

    public static SimdScalar operator *(SimdScalar left, SimdScalar right)
    {
        for (int i = 0; i < 16; i++) left._lanes[i] *= right._lanes[i];
        return left;
    }

    public static SimdScalar operator /(SimdScalar left, SimdScalar right)
    {
        for (int i = 0; i < 16; i++) left._lanes[i] /= right._lanes[i];
        return left;
    }

    public static SimdScalar MultiplyAdd(SimdScalar a, SimdScalar b, SimdScalar c)
    {
        for (int i = 0; i < 16; i++) c._lanes[i] = float.MultiplyAddEstimate(a._lanes[i], b._lanes[i], c._lanes[i]);
        return c;
    }

    public static SimdScalar Max(SimdScalar left, SimdScalar right)
    {
        for (int i = 0; i < 16; i++) left._lanes[i] = MathF.Max(left._lanes[i], right._lanes[i]);
        return left;
    }

    public static SimdScalar Min(SimdScalar left, SimdScalar right)
    {
        for (int i = 0; i < 16; i++) left._lanes[i] = MathF.Min(left._lanes[i], right._lanes[i]);
        return left;
    }

    public static SimdScalar Round(SimdScalar value)
    {
        for (int i = 0; i < 16; i++) value._lanes[i] = MathF.Round(value._lanes[i]);
        return value;
    }

    public static SimdScalar PowerOfTwo(SimdScalar n)
    {
        for (int i = 0; i < 16; i++) n._lanes[i] = BitConverter.Int32BitsToSingle(((int)n._lanes[i] + 127) << 23);
        return n;
    }

    public static Vector128<float> SumToFour(SimdScalar value)
    {
        ref Sixteen v = ref value._lanes;
        return Vector128.Create(
            (v[0] + v[8]) + (v[4] + v[12]), (v[1] + v[9]) + (v[5] + v[13]), (v[2] + v[10]) + (v[6] + v[14]), (v[3] + v[11]) + (v[7] + v[15]));
    }

    public static unsafe SimdScalar LoadHalf(ushort* source)
    {
        SimdScalar result = default;
        for (int i = 0; i < 16; i++) result._lanes[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
        return result;
    }

    public static unsafe SimdScalar LoadBfloat16(ushort* source)
    {
        SimdScalar result = default;
        for (int i = 0; i < 16; i++) result._lanes[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
        return result;
    }

    [InlineArray(16)]
    private struct Sixteen
    {
        private float _first;
    }
}
