using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>Sixteen lanes one by one, for CPUs without vectors and as the plainest form of every kernel.</summary>
internal struct SimdScalar : ISimd<SimdScalar>
{
    private Sixteen _lanes;

    public static SimdScalar Zero => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe SimdScalar BroadcastFrom(float* source) => Broadcast(*source);

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

    public static SimdScalar FromSigned(Vector128<sbyte> values)
    {
        SimdScalar result = default;
        for (int i = 0; i < 16; i++) result._lanes[i] = values[i];
        return result;
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(ref SimdScalar sum, SimdScalar a, SimdScalar b) => sum = MultiplyAdd(a, b, sum);

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

    public static SimdScalar operator &(SimdScalar left, SimdScalar right)
    {
        for (int i = 0; i < 16; i++) left._lanes[i] = Float(Bits(left._lanes[i]) & Bits(right._lanes[i]));
        return left;
    }

    public static SimdScalar operator |(SimdScalar left, SimdScalar right)
    {
        for (int i = 0; i < 16; i++) left._lanes[i] = Float(Bits(left._lanes[i]) | Bits(right._lanes[i]));
        return left;
    }

    public static SimdScalar AddBits(SimdScalar left, SimdScalar right)
    {
        for (int i = 0; i < 16; i++) left._lanes[i] = Float(Bits(left._lanes[i]) + Bits(right._lanes[i]));
        return left;
    }

    public static SimdScalar ShiftLeft(SimdScalar value, int count)
    {
        for (int i = 0; i < 16; i++) value._lanes[i] = Float(Bits(value._lanes[i]) << count);
        return value;
    }

    public static SimdScalar ShiftRight(SimdScalar value, int count)
    {
        for (int i = 0; i < 16; i++) value._lanes[i] = Float(Bits(value._lanes[i]) >> count);
        return value;
    }

    public static SimdScalar LessThan(SimdScalar left, SimdScalar right)
    {
        for (int i = 0; i < 16; i++) left._lanes[i] = Mask(left._lanes[i] < right._lanes[i]);
        return left;
    }

    public static SimdScalar IsNaN(SimdScalar value)
    {
        for (int i = 0; i < 16; i++) value._lanes[i] = Mask(float.IsNaN(value._lanes[i]));
        return value;
    }

    public static SimdScalar Select(SimdScalar mask, SimdScalar ifSet, SimdScalar ifNot)
    {
        for (int i = 0; i < 16; i++) ifNot._lanes[i] = Float((Bits(ifSet._lanes[i]) & Bits(mask._lanes[i])) | (Bits(ifNot._lanes[i]) & ~Bits(mask._lanes[i])));
        return ifNot;
    }

    public static SimdScalar SwapNeighbours(SimdScalar value)
    {
        for (int i = 0; i < 16; i += 2) (value._lanes[i], value._lanes[i + 1]) = (value._lanes[i + 1], value._lanes[i]);
        return value;
    }

    public static void Unzip(ref SimdScalar first, ref SimdScalar second)
    {
        (SimdScalar evens, SimdScalar odds) = (default, default);
        for (int i = 0; i < 8; i++)
        {
            (evens._lanes[i], odds._lanes[i]) = (first._lanes[2 * i], first._lanes[2 * i + 1]);
            (evens._lanes[i + 8], odds._lanes[i + 8]) = (second._lanes[2 * i], second._lanes[2 * i + 1]);
        }

        (first, second) = (evens, odds);
    }

    public static void Zip(ref SimdScalar first, ref SimdScalar second)
    {
        (SimdScalar lower, SimdScalar upper) = (default, default);
        for (int i = 0; i < 8; i++)
        {
            (lower._lanes[2 * i], lower._lanes[2 * i + 1]) = (first._lanes[i], second._lanes[i]);
            (upper._lanes[2 * i], upper._lanes[2 * i + 1]) = (first._lanes[i + 8], second._lanes[i + 8]);
        }

        (first, second) = (lower, upper);
    }

    public static int HighBits(SimdScalar value)
    {
        int bits = 0;
        for (int i = 0; i < 16; i++) bits |= (int)(Bits(value._lanes[i]) >> 31) << i;
        return bits;
    }

    public static SimdScalar MaskOf(int bits)
    {
        SimdScalar result = default;
        for (int i = 0; i < 16; i++) result._lanes[i] = Mask((bits >> i & 1) != 0);
        return result;
    }

    public static unsafe SimdScalar LoadWords(ushort* source)
    {
        SimdScalar result = default;
        // Written as integers: of a word that is loaded only to become a float's bits, the optimising compiler of .NET 10 loads four bytes, two too many.
        for (int i = 0; i < 16; i++) Unsafe.As<float, uint>(ref result._lanes[i]) = source[i];
        return result;
    }

    public static unsafe SimdScalar LoadShorts(short* source)
    {
        SimdScalar result = default;
        for (int i = 0; i < 16; i++) Unsafe.As<float, int>(ref result._lanes[i]) = source[i]; // see LoadWords
        return result;
    }

    public static unsafe void StoreWords(SimdScalar value, ushort* destination)
    {
        for (int i = 0; i < 16; i++) destination[i] = (ushort)Bits(value._lanes[i]);
    }

    public static Vector128<float> SumToFour(SimdScalar value)
    {
        ref Sixteen v = ref value._lanes;
        return Vector128.Create(
            (v[0] + v[8]) + (v[4] + v[12]), (v[1] + v[9]) + (v[5] + v[13]), (v[2] + v[10]) + (v[6] + v[14]), (v[3] + v[11]) + (v[7] + v[15]));
    }

    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);

    private static float Float(uint bits) => BitConverter.UInt32BitsToSingle(bits);

    private static float Mask(bool isSet) => Float(isSet ? uint.MaxValue : 0);

    [InlineArray(16)]
    private struct Sixteen
    {
        private float _first;
    }
}
