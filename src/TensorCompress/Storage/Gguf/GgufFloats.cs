using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Storage.Gguf;

/// <summary>Plain 32-bit floats.</summary>
internal sealed class GgufFloat32() : GgufTensorType(0, "F32", 1, 4)
{
    public override void Decode(ReadOnlySpan<byte> blocks, Span<float> values) => ElementConversion.ToSingle(ElementType.F32, blocks, values);
}

/// <summary>Plain 16-bit floats.</summary>
internal sealed class GgufFloat16() : GgufTensorType(1, "F16", 1, 2)
{
    public override void Decode(ReadOnlySpan<byte> blocks, Span<float> values) => ElementConversion.ToSingle(ElementType.F16, blocks, values);
}

/// <summary>Plain bfloat16.</summary>
internal sealed class GgufBfloat16() : GgufTensorType(30, "BF16", 1, 2)
{
    public override void Decode(ReadOnlySpan<byte> blocks, Span<float> values) => ElementConversion.ToSingle(ElementType.BF16, blocks, values);
}
