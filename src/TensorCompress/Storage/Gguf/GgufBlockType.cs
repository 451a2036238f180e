using System.Runtime.CompilerServices;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Storage.Gguf;

/// <summary>The layout of one block: what a file of a family of tensor types states. All pointers are to whole blocks.</summary>
internal unsafe interface IGgufBlock
{
    static abstract uint Id { get; }

    static abstract string Name { get; }

    static abstract int Values { get; }

    static abstract int Bytes { get; }

    /// <summary>Whether <see cref="Encode"/> is there.</summary>
    static virtual bool CanEncode => false;

    /// <summary>Decodes a block, sixteen codes at a time, with ggml's roundings: products of scales and codes first, minima last.</summary>
    static abstract void Decode<TSimd>(byte* block, float* values)
        where TSimd : struct, ISimd<TSimd>;

    /// <summary>Quantises the values of a block as ggml's reference does.</summary>
    static virtual void Encode(float* values, byte* block) => throw new NotSupportedException();
}

/// <summary>A tensor type of blocks.</summary>
internal sealed unsafe class GgufBlockType<TBlock>() : GgufTensorType(TBlock.Id, TBlock.Name, TBlock.Values, TBlock.Bytes)
    where TBlock : struct, IGgufBlock
{
    public override bool CanEncode => TBlock.CanEncode;

    internal override void Decode(SimdWidth width, ReadOnlySpan<byte> blocks, Span<float> values)
    {
        switch (width)
        {
            case SimdWidth.Bits512: Decode<Simd512>(blocks, values); break;
            case SimdWidth.Bits256: Decode<Simd256>(blocks, values); break;
            case SimdWidth.Bits128: Decode<Simd128>(blocks, values); break;
            default: Decode<SimdScalar>(blocks, values); break;
        }
    }

    public override void Encode(ReadOnlySpan<float> values, Span<byte> blocks)
    {
        if (!CanEncode) base.Encode(values, blocks);
        int count = BlockCount(blocks.Length, values.Length);
        fixed (float* source = values)
        fixed (byte* destination = blocks)
        {
            for (int i = 0; i < count; i++) TBlock.Encode(source + (nint)i * TBlock.Values, destination + (nint)i * TBlock.Bytes);
        }
    }

    // A model is read once, before a tiered compilation would have warmed up.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Decode<TSimd>(ReadOnlySpan<byte> blocks, Span<float> values)
        where TSimd : struct, ISimd<TSimd>
    {
        int count = BlockCount(blocks.Length, values.Length);
        fixed (byte* source = blocks)
        fixed (float* destination = values)
        {
            for (int i = 0; i < count; i++) TBlock.Decode<TSimd>(source + (nint)i * TBlock.Bytes, destination + (nint)i * TBlock.Values);
        }
    }

    private static int BlockCount(int bytes, int values)
    {
        (int count, int rest) = Math.DivRem(values, TBlock.Values);
        return rest == 0 && (long)count * TBlock.Bytes == bytes
            ? count
            : throw new ArgumentException($"{values} values are no whole blocks of {TBlock.Values} in {bytes} bytes ({TBlock.Name}).", nameof(values));
    }
}
