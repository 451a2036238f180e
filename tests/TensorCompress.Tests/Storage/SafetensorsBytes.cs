using System.Buffers.Binary;
using System.Text;

namespace TensorCompress.Tests.Storage;

/// <summary>Builds safetensors files byte by byte, right or wrong, without the library's writer.</summary>
internal static class SafetensorsBytes
{
    /// <summary>The smallest interesting good file: tensor a, F32 [2, 2].</summary>
    public static byte[] Base { get; } = Of($"{{{Entry("a", "F32", "[2,2]", 0, 16)}}}", Data(16));

    public static byte[] Of(string header, byte[] data) => Of(Encoding.UTF8.GetBytes(header), data);

    public static byte[] Of(byte[] header, byte[] data) => WithLength((ulong)header.Length, [.. header, .. data]);

    /// <summary>A file whose declared header length is not that of the header.</summary>
    public static byte[] WithLength(ulong length, byte[] rest)
    {
        var file = new byte[8 + rest.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(file, length);
        rest.CopyTo(file, 8);
        return file;
    }

    public static string Entry(string name, string type, string shape, ulong begin, ulong end) =>
        $"\"{name}\":{{\"dtype\":\"{type}\",\"shape\":{shape},\"data_offsets\":[{begin},{end}]}}";

    /// <summary>Byte i is i mod 251: no tensor has the bytes of another place.</summary>
    public static byte[] Data(int count)
    {
        var data = new byte[count];
        for (int i = 0; i < count; i++) data[i] = (byte)(i % 251);
        return data;
    }
}
