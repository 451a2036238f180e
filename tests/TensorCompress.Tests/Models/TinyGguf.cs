using TensorCompress.Tests.Storage;
using TensorCompress.Tests.TestKit;
using static TensorCompress.Tests.Storage.GgufBytes;

namespace TensorCompress.Tests.Models;

/// <summary>A model of one block as a GGUF file, whose metadata can be made wrong.</summary>
internal sealed class TinyGguf
{
    private const int Hidden = 32;
    private const int Inner = 64;
    private const int Vocabulary = 3;

    private readonly Dictionary<string, (uint Type, byte[] Value)?> _keys = new()
    {
        ["general.architecture"] = (8, Text("llama")),
        ["llama.block_count"] = (4, U32(1)),
        ["llama.context_length"] = (4, U32(16)),
        ["llama.embedding_length"] = (4, U32(Hidden)),
        ["llama.feed_forward_length"] = (4, U32(Inner)),
        ["llama.attention.head_count"] = (4, U32(2)),
        ["llama.attention.head_count_kv"] = (4, U32(1)),
        ["llama.attention.layer_norm_rms_epsilon"] = (6, BitConverter.GetBytes(1e-5f)),
        ["llama.rope.freq_base"] = (6, BitConverter.GetBytes(10_000f)),
        ["tokenizer.ggml.model"] = (8, Text("gpt2")),
        ["tokenizer.ggml.pre"] = (8, Text("gpt-2")),
        ["tokenizer.ggml.tokens"] = (9, List(8, Vocabulary, Text("a"), Text("b"), Text("ab"))),
        ["tokenizer.ggml.merges"] = (9, List(8, 1, Text("a b"))),
    };

    /// <summary>Type number and bytes of the matrices' blocks of 32 values.</summary>
    public (uint Type, byte[] Block) Weights { get; init; } = (0, new byte[32 * 4]);

    /// <summary>Sets a key, or takes it away.</summary>
    public TinyGguf With(string key, uint type = 0, byte[]? value = null)
    {
        _keys[key] = value is null ? null : (type, value);
        return this;
    }

    public string WriteTo(TemporaryFolder folder)
    {
        var data = new List<byte>();
        var file = new GgufBytes();
        foreach ((string key, (uint Type, byte[] Value)? entry) in _keys)
        {
            if (entry is { } value) file.Key(key, value.Type, value.Value);
        }

        foreach ((string name, ulong[] shape) in new (string, ulong[])[]
        {
            ("token_embd", [Hidden, Vocabulary]), ("output_norm", [Hidden]), ("blk.0.attn_norm", [Hidden]), ("blk.0.ffn_norm", [Hidden]),
            ("blk.0.attn_q", [Hidden, Hidden]), ("blk.0.attn_k", [Hidden, Hidden / 2]), ("blk.0.attn_v", [Hidden, Hidden / 2]), ("blk.0.attn_output", [Hidden, Hidden]),
            ("blk.0.ffn_gate", [Hidden, Inner]), ("blk.0.ffn_up", [Hidden, Inner]), ("blk.0.ffn_down", [Inner, Hidden]),
        })
        {
            (uint type, byte[] block) = shape.Length == 1 ? (0u, new byte[32 * 4]) : Weights;
            file.Tensor(name + ".weight", shape, type, (ulong)data.Count);
            for (ulong i = 0; i < shape.Aggregate((product, dimension) => product * dimension) / 32; i++) data.AddRange(block);
            while (data.Count % 32 != 0) data.Add(0);
        }

        string path = folder.Combine("tiny.gguf");
        byte[] header = file.Build();
        File.WriteAllBytes(path, [.. header, .. data]);
        return path;
    }
}
