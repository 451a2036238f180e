using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tensors;

namespace TensorCompress.Storage.Gguf;

/// <summary>Plain elements, one value each.</summary>
internal sealed class GgufPlainType(uint id, string name, ElementType elementType) : GgufTensorType(id, name, 1, elementType.BitWidth() / 8)
{
    public override ElementType ElementType => elementType;

    public override bool CanEncode => elementType is ElementType.F32 or ElementType.F16 or ElementType.BF16;

    internal override void Decode(SimdWidth width, ReadOnlySpan<byte> blocks, Span<float> values) => ElementConversion.ToSingle(elementType, blocks, values);

    public override void Encode(ReadOnlySpan<float> values, Span<byte> blocks) => ElementConversion.FromSingle(values, elementType, blocks);
}
