using System.Text;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Tokenization;

/// <summary>The tokenizer metadata of trusted GGUF fixtures, read by the plainest code: independent of the library's reader.</summary>
internal static class GgufMetadata
{
    public static GgufVocabulary ReadVocabulary(string path)
    {
        using var reader = new BinaryReader(File.OpenRead(path), Encoding.UTF8);
        reader.ReadUInt32(); // magic
        reader.ReadUInt32(); // version
        reader.ReadUInt64(); // tensors
        ulong count = reader.ReadUInt64();
        var values = new Dictionary<string, object>();
        for (ulong i = 0; i < count; i++)
        {
            string key = ReadText(reader);
            values[key] = ReadValue(reader, reader.ReadUInt32());
        }

        T? Get<T>(string name) => values.TryGetValue("tokenizer." + name, out object? value) ? (T)value : default;
        int? Id(string name) => values.TryGetValue("tokenizer.ggml." + name, out object? value) ? Convert.ToInt32(value, null) : null;
        return new GgufVocabulary
        {
            Model = Get<string>("ggml.model")!,
            Pre = Get<string>("ggml.pre"),
            Tokens = [.. Get<object[]>("ggml.tokens")!.Cast<string>()],
            TokenTypes = Get<object[]>("ggml.token_type")?.Cast<int>().ToArray(),
            Merges = Get<object[]>("ggml.merges")?.Cast<string>().ToArray(),
            BosTokenId = Id("bos_token_id"),
            EosTokenId = Id("eos_token_id"),
            UnknownTokenId = Id("unknown_token_id"),
            PaddingTokenId = Id("padding_token_id"),
            Scores = Get<object[]>("ggml.scores")?.Cast<float>().ToArray(),
            AddBosToken = Get<object>("ggml.add_bos_token") as bool?,
            AddEosToken = Get<object>("ggml.add_eos_token") as bool?,
            AddSpacePrefix = Get<object>("ggml.add_space_prefix") as bool?,
            ChatTemplate = Get<string>("chat_template"),
        };
    }

    private static string ReadText(BinaryReader reader) => Encoding.UTF8.GetString(reader.ReadBytes((int)reader.ReadUInt64()));

    private static object ReadValue(BinaryReader reader, uint type)
    {
        if (type == 9)
        {
            uint elementType = reader.ReadUInt32();
            var array = new object[reader.ReadUInt64()];
            for (int i = 0; i < array.Length; i++) array[i] = ReadValue(reader, elementType);
            return array;
        }

        return type switch
        {
            0 => reader.ReadByte(),
            1 => reader.ReadSByte(),
            2 => reader.ReadUInt16(),
            3 => reader.ReadInt16(),
            4 => reader.ReadUInt32(),
            5 => reader.ReadInt32(),
            6 => reader.ReadSingle(),
            7 => reader.ReadBoolean(),
            8 => ReadText(reader),
            10 => reader.ReadUInt64(),
            11 => reader.ReadInt64(),
            12 => reader.ReadDouble(),
            _ => throw new InvalidDataException($"GGUF type {type}"),
        };
    }
}
