using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Storage;

/// <summary>Q8_0: 32 values in 34 bytes: scale d as F16, then 32 signed codes; value = d * code.</summary>
internal sealed class GgufQ8_0() : GgufTensorType(8, "Q8_0", 32, 34)
{
    public override void Decode(ReadOnlySpan<byte> blocks, Span<float> values)
    {
        ref float destination = ref MemoryMarshal.GetReference(values);
        for (int block = 0; block < values.Length / 32; block++)
        {
            ReadOnlySpan<byte> source = blocks.Slice(block * 34, 34);
            Vector128<float> scale = Vector128.Create((float)BinaryPrimitives.ReadHalfLittleEndian(source));
            for (int half = 0; half < 2; half++)
            {
                Vector128<sbyte> codes = Vector128.Create(source.Slice(2 + 16 * half, 16)).AsSByte();
                (Vector128<short> low, Vector128<short> high) = Vector128.Widen(codes);
                (Vector128<int> first, Vector128<int> second) = Vector128.Widen(low);
                (Vector128<int> third, Vector128<int> fourth) = Vector128.Widen(high);
                var offset = (nuint)(block * 32 + 16 * half);
                (Vector128.ConvertToSingle(first) * scale).StoreUnsafe(ref destination, offset);
                (Vector128.ConvertToSingle(second) * scale).StoreUnsafe(ref destination, offset + 4);
                (Vector128.ConvertToSingle(third) * scale).StoreUnsafe(ref destination, offset + 8);
                (Vector128.ConvertToSingle(fourth) * scale).StoreUnsafe(ref destination, offset + 12);
            }
        }
    }
}
