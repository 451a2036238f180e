using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Kernels;

/// <summary>How a step of sixteen rows and 32 columns is multiplied, for one width of codes (layout: <see cref="CodeBlocks"/>).</summary>
internal unsafe interface ICode<TBytes>
    where TBytes : struct
{
    static abstract int StepBytes { get; }

    /// <summary>The sums of one token's products, 32 bits to a lane.</summary>
    static abstract TBytes Products(byte* codes, sbyte* x, int activationSum);

    /// <summary>The sums of one token's products for the same step of two blocks of rows: each of the token's quads is loaded once for both.</summary>
    static abstract void Products(byte* codes, byte* otherCodes, sbyte* x, int activationSum, out TBytes s0, out TBytes s1);

    /// <summary>The sums of four tokens' products; a token's activations lie a stride after those of the one before, its sum likewise.</summary>
    static abstract void Products(byte* codes, sbyte* x, nint stride, int* activationSums, nint sumStride, out TBytes s0, out TBytes s1, out TBytes s2, out TBytes s3);
}

/// <summary>4-bit codes, two to a byte.</summary>
internal readonly unsafe struct Nibbles<TSimd, TBytes> : ICode<TBytes>
    where TSimd : struct, ISimd<TSimd>
    where TBytes : struct, IByteSimd<TBytes, TSimd>
{
    public static int StepBytes => 4 * CodeBlocks.QuadBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TBytes Products(byte* codes, sbyte* x, int activationSum)
    {
        TBytes sums = TBytes.Zero;
        for (int quad = 0; quad < 4; quad++, codes += CodeBlocks.QuadBytes, x += 4)
        {
            TBytes pairs = TBytes.Load(codes);
            sums = TBytes.AddNibbleProducts(sums, TBytes.LowNibbles(pairs), TBytes.BroadcastFour(x));
            sums = TBytes.AddNibbleProducts(sums, TBytes.HighNibbles(pairs), TBytes.BroadcastFour(x + 16));
        }

        return TBytes.NibbleSums(sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Products(byte* codes, byte* otherCodes, sbyte* x, int activationSum, out TBytes s0, out TBytes s1)
    {
        TBytes a0 = TBytes.Zero, a1 = a0;
        AddQuads(codes, otherCodes, x, ref a0, ref a1);
        AddQuads(codes + CodeBlocks.QuadBytes, otherCodes + CodeBlocks.QuadBytes, x + 4, ref a0, ref a1);
        AddQuads(codes + 2 * CodeBlocks.QuadBytes, otherCodes + 2 * CodeBlocks.QuadBytes, x + 8, ref a0, ref a1);
        AddQuads(codes + 3 * CodeBlocks.QuadBytes, otherCodes + 3 * CodeBlocks.QuadBytes, x + 12, ref a0, ref a1);
        s0 = TBytes.NibbleSums(a0);
        s1 = TBytes.NibbleSums(a1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddQuads(byte* codes, byte* otherCodes, sbyte* x, ref TBytes a0, ref TBytes a1)
    {
        TBytes low = TBytes.BroadcastFour(x), high = TBytes.BroadcastFour(x + 16), pairs = TBytes.Load(codes);
        a0 = TBytes.AddNibbleProducts(a0, TBytes.LowNibbles(pairs), low);
        a0 = TBytes.AddNibbleProducts(a0, TBytes.HighNibbles(pairs), high);
        pairs = TBytes.Load(otherCodes);
        a1 = TBytes.AddNibbleProducts(a1, TBytes.LowNibbles(pairs), low);
        a1 = TBytes.AddNibbleProducts(a1, TBytes.HighNibbles(pairs), high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Products(byte* codes, sbyte* x, nint stride, int* activationSums, nint sumStride, out TBytes s0, out TBytes s1, out TBytes s2, out TBytes s3)
    {
        TBytes a0 = TBytes.Zero, a1 = a0, a2 = a0, a3 = a0;
        for (int quad = 0; quad < 4; quad++, codes += CodeBlocks.QuadBytes, x += 4)
        {
            TBytes pairs = TBytes.Load(codes), half = TBytes.LowNibbles(pairs);
            a0 = TBytes.AddNibbleProducts(a0, half, TBytes.BroadcastFour(x));
            a1 = TBytes.AddNibbleProducts(a1, half, TBytes.BroadcastFour(x + stride));
            a2 = TBytes.AddNibbleProducts(a2, half, TBytes.BroadcastFour(x + 2 * stride));
            a3 = TBytes.AddNibbleProducts(a3, half, TBytes.BroadcastFour(x + 3 * stride));
            half = TBytes.HighNibbles(pairs);
            a0 = TBytes.AddNibbleProducts(a0, half, TBytes.BroadcastFour(x + 16));
            a1 = TBytes.AddNibbleProducts(a1, half, TBytes.BroadcastFour(x + stride + 16));
            a2 = TBytes.AddNibbleProducts(a2, half, TBytes.BroadcastFour(x + 2 * stride + 16));
            a3 = TBytes.AddNibbleProducts(a3, half, TBytes.BroadcastFour(x + 3 * stride + 16));
        }

        s0 = TBytes.NibbleSums(a0);
        s1 = TBytes.NibbleSums(a1);
        s2 = TBytes.NibbleSums(a2);
        s3 = TBytes.NibbleSums(a3);
    }
}

/// <summary>8-bit codes.</summary>
internal readonly unsafe struct Bytes<TSimd, TBytes> : ICode<TBytes>
    where TSimd : struct, ISimd<TSimd>
    where TBytes : struct, IByteSimd<TBytes, TSimd>
{
    public static int StepBytes => 8 * CodeBlocks.QuadBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TBytes Products(byte* codes, sbyte* x, int activationSum)
    {
        TBytes sums = TBytes.ByteSums(activationSum);
        for (int quad = 0; quad < 8; quad++, codes += CodeBlocks.QuadBytes, x += 4) sums = TBytes.AddByteProducts(sums, TBytes.Load(codes), TBytes.BroadcastFour(x));
        return sums;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Products(byte* codes, byte* otherCodes, sbyte* x, int activationSum, out TBytes s0, out TBytes s1)
    {
        s0 = TBytes.ByteSums(activationSum);
        s1 = s0;
        for (int quad = 0; quad < 8; quad++, codes += CodeBlocks.QuadBytes, otherCodes += CodeBlocks.QuadBytes, x += 4)
        {
            TBytes four = TBytes.BroadcastFour(x);
            s0 = TBytes.AddByteProducts(s0, TBytes.Load(codes), four);
            s1 = TBytes.AddByteProducts(s1, TBytes.Load(otherCodes), four);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Products(byte* codes, sbyte* x, nint stride, int* activationSums, nint sumStride, out TBytes s0, out TBytes s1, out TBytes s2, out TBytes s3)
    {
        s0 = TBytes.ByteSums(activationSums[0]);
        s1 = TBytes.ByteSums(activationSums[sumStride]);
        s2 = TBytes.ByteSums(activationSums[2 * sumStride]);
        s3 = TBytes.ByteSums(activationSums[3 * sumStride]);
        for (int quad = 0; quad < 8; quad++, codes += CodeBlocks.QuadBytes, x += 4)
        {
            TBytes four = TBytes.Load(codes);
            s0 = TBytes.AddByteProducts(s0, four, TBytes.BroadcastFour(x));
            s1 = TBytes.AddByteProducts(s1, four, TBytes.BroadcastFour(x + stride));
            s2 = TBytes.AddByteProducts(s2, four, TBytes.BroadcastFour(x + 2 * stride));
            s3 = TBytes.AddByteProducts(s3, four, TBytes.BroadcastFour(x + 3 * stride));
        }
    }
}
