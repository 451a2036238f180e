using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace TensorCompress.Storage;

/// <summary>
/// Q4_1: 32 values in 20 bytes: scale d and minimum m as F16, then 16 bytes whose low halves are the codes of values 0 to 15 and whose high halves those of 16 to 31;
/// value = d * code + m, each operation rounded.
/// </summary>
internal sealed class GgufQ4_1() : GgufTensorType(3, "Q4_1", 32, 20)
{
    public override void Decode(ReadOnlySpan<byte> blocks, Span<float> values)
    {
        ref float destination = ref MemoryMarshal.GetReference(values);
        for (int block = 0; block < values.Length / 32; block++)
        {
            ReadOnlySpan<byte> source = blocks.Slice(block * 20, 20);
            Vector128<float> scale = Vector128.Create((float)BinaryPrimitives.ReadHalfLittleEndian(source));
            Vector128<float> minimum = Vector128.Create((float)BinaryPrimitives.ReadHalfLittleEndian(source[2..]));
            Vector128<byte> packed = Vector128.Create(source[4..]);
            Store(packed & Vector128.Create((byte)0x0F), scale, minimum, ref destination, block * 32);
            Store(packed >>> 4, scale, minimum, ref destination, block * 32 + 16);
        }
    }

    private static void Store(Vector128<byte> codes, Vector128<float> scale, Vector128<float> minimum, ref float destination, int offset)
    {
        (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(codes);
        (Vector128<uint> first, Vector128<uint> second) = Vector128.Widen(low);
        (Vector128<uint> third, Vector128<uint> fourth) = Vector128.Widen(high);
        (Vector128.ConvertToSingle(first.AsInt32()) * scale + minimum).StoreUnsafe(ref destination, (nuint)offset);
        (Vector128.ConvertToSingle(second.AsInt32()) * scale + minimum).StoreUnsafe(ref destination, (nuint)offset + 4);
        (Vector128.ConvertToSingle(third.AsInt32()) * scale + minimum).StoreUnsafe(ref destination, (nuint)offset + 8);
        (Vector128.ConvertToSingle(fourth.AsInt32()) * scale + minimum).StoreUnsafe(ref destination, (nuint)offset + 12);
    }
}
