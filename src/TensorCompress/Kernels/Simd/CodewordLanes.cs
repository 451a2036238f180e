using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>Two vectors of eight magnitudes, a byte each, as sixteen signed floats. What makes them different from the magnitudes is in a word for each vector.</summary>
internal unsafe interface ICodewordLanes<TSimd>
    where TSimd : struct, ISimd<TSimd>
{
    /// <summary>Signs: number k is negative where bit k of its vector's word is set.</summary>
    static abstract TSimd Signed(byte* low, byte* high, uint lowWord, uint highWord);

    /// <summary>Signs, and before them the order of pairs: numbers 2p and 2p + 1 are exchanged where bit 8 + p is not set.</summary>
    static abstract TSimd Ordered(byte* low, byte* high, uint lowWord, uint highWord);
}

/// <summary>All of them in one vector.</summary>
internal readonly unsafe struct Codewords512 : ICodewordLanes<Simd512>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Signed(byte* low, byte* high, uint lowWord, uint highWord) => new(WithSigns(Magnitudes(low, high), Words(lowWord, highWord)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Ordered(byte* low, byte* high, uint lowWord, uint highWord)
    {
        Vector512<float> magnitudes = Magnitudes(low, high), exchanged = Vector512.Shuffle(magnitudes, Vector512.Create(1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
        Vector512<uint> words = Words(lowWord, highWord), places = Vector512.Create(256u, 256, 512, 512, 1024, 1024, 2048, 2048, 256, 256, 512, 512, 1024, 1024, 2048, 2048);
        return new(WithSigns(Vector512.ConditionalSelect(Vector512.Equals(words & places, places).AsSingle(), magnitudes, exchanged), words));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Words(uint low, uint high) => Vector512.Create(Vector256.Create(low), Vector256.Create(high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Magnitudes(byte* low, byte* high)
    {
        Vector128<byte> bytes = Vector128.Create(Unsafe.ReadUnaligned<ulong>(low), Unsafe.ReadUnaligned<ulong>(high)).AsByte();
        Vector512<int> integers = Avx512F.IsSupported ? Avx512F.ConvertToVector512Int32(bytes) : Vector512.WidenLower(Vector256.WidenLower(bytes.ToVector256Unsafe()).ToVector512Unsafe()).AsInt32();
        return Vector512.ConvertToSingle(integers);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> WithSigns(Vector512<float> magnitudes, Vector512<uint> words)
    {
        Vector512<uint> sign = Vector512.Create(1u << 31);
        if (Avx512F.IsSupported)
        {
            Vector512<uint> counts = Vector512.Create(31u, 30, 29, 28, 27, 26, 25, 24, 31, 30, 29, 28, 27, 26, 25, 24);
            return magnitudes | (Avx512F.ShiftLeftLogicalVariable(words, counts) & sign).AsSingle();
        }

        Vector512<uint> places = Vector512.Create(1u, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128);
        return magnitudes | (Vector512.Equals(words & places, places) & sign).AsSingle();
    }
}

/// <summary>A vector each.</summary>
internal readonly unsafe struct Codewords256 : ICodewordLanes<Simd256>
{
    /// <summary>The sign bits of every word, 8 KiB: one read instead of the broadcast, shift and selection of a word's bits.</summary>
    private static readonly float* SignMasks = MakeSignMasks();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Signed(byte* low, byte* high, uint lowWord, uint highWord) =>
        new(Magnitudes(low) | Vector256.Load(SignMasks + (lowWord & 255) * 8), Magnitudes(high) | Vector256.Load(SignMasks + (highWord & 255) * 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Ordered(byte* low, byte* high, uint lowWord, uint highWord) => new(Ordered(low, Vector256.Create(lowWord)), Ordered(high, Vector256.Create(highWord)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Ordered(byte* numbers, Vector256<uint> word)
    {
        Vector256<float> magnitudes = Magnitudes(numbers), exchanged = Vector256.Shuffle(magnitudes, Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6));
        if (Avx2.IsSupported)
        {
            // The blend looks at the highest bit alone.
            Vector256<uint> atTop = Avx2.ShiftLeftLogicalVariable(word, Vector256.Create(23u, 23, 22, 22, 21, 21, 20, 20));
            return WithSigns(Avx.BlendVariable(exchanged, magnitudes, atTop.AsSingle()), word);
        }

        Vector256<uint> places = Vector256.Create(256u, 256, 512, 512, 1024, 1024, 2048, 2048);
        return WithSigns(Vector256.ConditionalSelect(Vector256.Equals(word & places, places).AsSingle(), magnitudes, exchanged), word);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Magnitudes(byte* numbers) => Vector256.ConvertToSingle(
        Avx2.IsSupported ? Avx2.ConvertToVector256Int32(numbers) : Vector256.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(Unsafe.ReadUnaligned<ulong>(numbers)).AsByte()).ToVector256Unsafe()).AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> WithSigns(Vector256<float> magnitudes, Vector256<uint> word)
    {
        Vector256<uint> sign = Vector256.Create(1u << 31);
        if (Avx2.IsSupported) return magnitudes | (Avx2.ShiftLeftLogicalVariable(word, Vector256.Create(31u, 30, 29, 28, 27, 26, 25, 24)) & sign).AsSingle();
        Vector256<uint> places = Vector256.Create(1u, 2, 4, 8, 16, 32, 64, 128);
        return magnitudes | (Vector256.Equals(word & places, places) & sign).AsSingle();
    }

    private static float* MakeSignMasks()
    {
        float* masks = (float*)NativeMemory.AlignedAlloc(256 * 8 * sizeof(float), 64); // for the life of the process
        for (int i = 0; i < 256 * 8; i++) masks[i] = (i / 8 >> (i % 8) & 1) == 1 ? -0f : 0f;
        return masks;
    }
}

/// <summary>Two vectors each.</summary>
internal readonly unsafe struct Codewords128 : ICodewordLanes<Simd128>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Signed(byte* low, byte* high, uint lowWord, uint highWord)
    {
        (Vector128<float> v0, Vector128<float> v1) = Magnitudes(low);
        (Vector128<float> v2, Vector128<float> v3) = Magnitudes(high);
        return WithSigns(v0, v1, v2, v3, Vector128.Create(lowWord), Vector128.Create(highWord));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Ordered(byte* low, byte* high, uint lowWord, uint highWord)
    {
        (Vector128<float> v0, Vector128<float> v1) = Magnitudes(low);
        (Vector128<float> v2, Vector128<float> v3) = Magnitudes(high);
        Vector128<uint> first = Vector128.Create(lowWord), second = Vector128.Create(highWord), places = Vector128.Create(256u, 256, 512, 512), next = places << 2;
        return WithSigns(Ordered(v0, first, places), Ordered(v1, first, next), Ordered(v2, second, places), Ordered(v3, second, next), first, second);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Ordered(Vector128<float> magnitudes, Vector128<uint> word, Vector128<uint> places) =>
        Vector128.ConditionalSelect(Vector128.Equals(word & places, places).AsSingle(), magnitudes, Vector128.Shuffle(magnitudes, Vector128.Create(1, 0, 3, 2)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<float> Low, Vector128<float> High) Magnitudes(byte* numbers)
    {
        (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.WidenLower(Vector128.CreateScalar(Unsafe.ReadUnaligned<ulong>(numbers)).AsByte()));
        return (Vector128.ConvertToSingle(low.AsInt32()), Vector128.ConvertToSingle(high.AsInt32()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Simd128 WithSigns(Vector128<float> v0, Vector128<float> v1, Vector128<float> v2, Vector128<float> v3, Vector128<uint> low, Vector128<uint> high)
    {
        Vector128<uint> places = Vector128.Create(1u, 2, 4, 8), next = places << 4;
        return new(WithSigns(v0, low, places), WithSigns(v1, low, next), WithSigns(v2, high, places), WithSigns(v3, high, next));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> WithSigns(Vector128<float> magnitudes, Vector128<uint> word, Vector128<uint> places) =>
        magnitudes | (Vector128.Equals(word & places, places) & Vector128.Create(1u << 31)).AsSingle();
}

/// <summary>One number after the other.</summary>
internal readonly unsafe struct CodewordsScalar : ICodewordLanes<SimdScalar>
{
    [SkipLocalsInit]
    public static SimdScalar Signed(byte* low, byte* high, uint lowWord, uint highWord)
    {
        float* numbers = stackalloc float[16];
        for (int k = 0; k < 8; k++)
        {
            numbers[k] = WithSign(low[k], lowWord >> k);
            numbers[k + 8] = WithSign(high[k], highWord >> k);
        }

        return SimdScalar.Load(numbers);
    }

    [SkipLocalsInit]
    public static SimdScalar Ordered(byte* low, byte* high, uint lowWord, uint highWord)
    {
        float* numbers = stackalloc float[16];
        for (int k = 0; k < 8; k++)
        {
            numbers[k] = WithSign(low[k ^ Exchange(lowWord, k)], lowWord >> k);
            numbers[k + 8] = WithSign(high[k ^ Exchange(highWord, k)], highWord >> k);
        }

        return SimdScalar.Load(numbers);
    }

    private static int Exchange(uint word, int k) => (int)(~word >> (8 + k / 2) & 1);

    private static float WithSign(byte magnitude, uint sign) => (sign & 1) == 0 ? magnitude : -(float)magnitude;
}
