using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using TensorCompress.Compression;

namespace TensorCompress.Fuzz;

/// <summary>Small valid files of every kind: made here, or kept with the tests.</summary>
internal static class Seeds
{
    /// <summary>Between the two files of a GPT-2 tokenizer, which are one input.</summary>
    public const byte Separator = 0;

    public static byte[][] Safetensors { get; } =
    [
        SafetensorsOf("""{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}}""", 22),
        SafetensorsOf("""{"__metadata__":{"format":"pt"},"x":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"e":{"dtype":"U8","shape":[0,4],"data_offsets":[8,8]}}""", 8),
    ];

    public static byte[] Index { get; } = Text("""{"metadata":{"total_size":16},"weight_map":{"a":"s1.safetensors","b":"s1.safetensors","c":"s2.safetensors"}}""");

    public static byte[] IndexShard1 { get; } = SafetensorsOf("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8);

    public static byte[] IndexShard2 { get; } = SafetensorsOf("""{"c":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8);

    public static byte[][] Configurations { get; } =
    [
        Text("""{"model_type":"llama","vocab_size":32,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":64,"rms_norm_eps":1e-5,"rope_theta":10000.0,"tie_word_embeddings":true,"hidden_act":"silu","rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":32}}"""),
        Text("""{"model_type":"gpt2","vocab_size":32,"n_embd":16,"n_layer":2,"n_head":4,"n_positions":64,"n_inner":null,"layer_norm_epsilon":1e-5,"activation_function":"gelu_new"}"""),
        Text("""{"model_type":"qwen3","vocab_size":32,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":8,"max_position_embeddings":64,"rms_norm_eps":1e-6,"rope_theta":1000000,"tie_word_embeddings":true,"hidden_act":"silu","attention_bias":false}"""),
    ];

    private static readonly byte[][] Weights = [.. Configurations.Select(TinyModels.Weights)];

    /// <summary>The weights that go with a configuration, or with what has become of it.</summary>
    public static byte[] WeightsFor(ReadOnlySpan<byte> configuration) => Weights[configuration.IndexOf("gpt2"u8) >= 0 ? 1 : configuration.IndexOf("qwen3"u8) >= 0 ? 2 : 0];

    public static byte[] Llama2c { get; } = MakeLlama2c();

    public static byte[] Llama2cVocabulary { get; } = Golden("Tokenization/stories260K/tok512.bin");

    public static byte[][] TokenizerJson { get; } =
    [
        Text("""{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":4,"content":"<|endoftext|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},"post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"vocab":{"a":0,"b":1,"ab":2,"aba":3,"<|endoftext|>":4},"merges":["a b","ab a"]}}"""),
        Text("""{"added_tokens":[{"id":5,"content":"<s>","single_word":false,"lstrip":true,"rstrip":true,"normalized":true,"special":true}],"normalizer":null,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[5],"tokens":["<s>"]}}},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"c":2,"ab":3,"abc":4},"merges":[["a","b"],["ab","c"]]}}"""),
        Text("""{"added_tokens":[],"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}]},"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},"post_processor":null,"decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],["▁",-1.0],["a",-2.0],["b",-2.5],["ab",-3.0]],"byte_fallback":false}}"""),
        Text("""{"added_tokens":[{"id":0,"content":"[UNK]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":null,"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,"a":1,"##b":2,"ab":3}}}"""),
        Text("""{"added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\p{L}+|\\d{1,3}|\\s+(?!\\S)|."},"behavior":"Isolated","invert":false},"post_processor":null,"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}}"""),
    ];

    public static byte[] SentencePieceUnigram { get; } = MakeSentencePiece(modelType: 1);

    public static byte[] SentencePieceBpe { get; } = MakeSentencePiece(modelType: 2);

    public static byte[] TokenizerConfig { get; } = Text("""{"bos_token":{"content":"<s>","lstrip":false},"eos_token":"</s>","pad_token":null,"chat_template":[{"name":"default","template":"{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"},{"name":"tool_use","template":"{{ bos_token }}"}]}""");

    public static byte[] Gpt2Files { get; } = [.. Text("""{"a":0,"b":1,"c":2,"ab":3,"abc":4,"<|endoftext|>":5}"""), Separator, .. Text("#version: 0.2\na b\nab c\n")];

    public static byte[][] Recipes { get; } =
    [
        Text("""{"rules":[{"match":"model.layers.*.mlp.*","method":"scalar","bits":3,"group":32,"symmetric":true,"scales":"f16"},{"match":"*.self_attn.*","method":"mpo","share":0.5},{"match":"*","method":"dense","type":"bf16"}]}"""),
        Text("""{"rules":[{"match":"lm_head","method":"mpo","chi":16,"sites":3,"cores":"f16","joint":true}]}"""),
    ];

    /// <summary>One layer at least for each method and joint ones, for the model of the first configuration.</summary>
    public const string RecipeOfAllMethods =
        """{"rules":[{"match":"model.layers.1.self_attn.o_proj","method":"qet","bits":8,"subspaces":4,"layers":"1,0","rotate":"hadamard"},{"match":"model.layers.0.mlp.up_proj","method":"qet","bits":20,"subspaces":4,"layers":"0,0","beam":4,"rotate":"learnt"},{"match":"model.layers.1.mlp.down_proj","method":"qet","bits":4,"form":"universal","entropy-coding":true},{"match":"model.layers.1.*","method":"lowrank","rank":2,"joint":true},{"match":"*.q_proj","method":"mpo","chi":2},{"match":"*.gate_proj","method":"mpo","chi":3,"sites":3,"cores":"int8"},{"match":"*.k_proj","method":"lowrank","rank":2},{"match":"*.v_proj","method":"btt","rank":1},{"match":"*.o_proj","method":"dense","type":"bf16"},{"match":"*","method":"scalar","bits":3,"group":8}]}""";

    public static byte[] Manifest { get; } = MakeManifest();

    /// <summary>The kept constructs that render, and two that are a word away from a bound and from a refusal.</summary>
    public static byte[][] Templates { get; } =
    [
        .. Constructs().Skip(1).Where(row => row.TryGetProperty("text", out _)).Select(row => Text(row.GetProperty("source").GetString()!)),
        Text("{% for a in range(100) %}{% for b in range(100) %}{{ b }}{% endfor %}{% endfor %}{{ 'x' * 100 }}"),
        Text("{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no ' ~ m.role) }}{% endif %}{% endfor %}"),
    ];

    public static JsonElement TemplateVariables { get; } = Constructs().First().GetProperty("variables");

    public static byte[] Gguf { get; } = MakeGguf(withModel: false);

    public static byte[] GgufModel { get; } = MakeGguf(withModel: true);

    private static byte[] SafetensorsOf(string header, int dataLength) => [.. BitConverter.GetBytes((long)header.Length), .. Text(header), .. new byte[dataLength]];

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] Golden(string name)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string path = Path.Combine(folder.FullName, "tests", "TensorCompress.Tests", "Goldens", name);
            if (File.Exists(path)) return File.ReadAllBytes(path);
        }

        throw new FileNotFoundException($"The golden {name} is not above {AppContext.BaseDirectory}.");
    }

    private static IEnumerable<JsonElement> Constructs() =>
        Encoding.UTF8.GetString(Golden("Templates/constructs.jsonl")).Split('\n').Where(line => line.Length > 0).Select(line => JsonDocument.Parse(line).RootElement);

    private static byte[] MakeLlama2c()
    {
        const int dimension = 8, hidden = 12, layers = 2, heads = 2, keyValueHeads = 1, vocabulary = 16, context = 8;
        int floats = (vocabulary * dimension) + (layers * ((2 * dimension) + (2 * dimension * dimension) + (2 * dimension * dimension / heads * keyValueHeads) + (3 * dimension * hidden)))
            + dimension + (context * dimension / heads);
        return [.. new[] { dimension, hidden, layers, heads, keyValueHeads, vocabulary, context }.SelectMany(BitConverter.GetBytes), .. new byte[floats * 4]];
    }

    // Pieces (text, score, type), the trainer's kind of model and special ids, the normaliser's flags: a protobuf message, each part with its field and length.
    private static byte[] MakeSentencePiece(byte modelType)
    {
        List<byte> file = [];
        foreach ((string piece, float score, byte type) in ((string, float, byte)[])[("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("▁", -1, 1), ("a", -2, 1), ("b", -3, 1), ("ab", -4, 1), ("▁ab", -5, 1)])
        {
            byte[] text = Text(piece);
            Part(0x0A, [0x0A, (byte)text.Length, .. text, 0x15, .. BitConverter.GetBytes(score), 0x18, type]);
        }

        Part(0x12, [0x18, modelType, 0xC0, 0x02, 0, 0xC8, 0x02, 1, 0xD0, 0x02, 2]);
        Part(0x1A, [0x0A, 8, .. Text("identity"), 0x18, 1, 0x20, 1, 0x28, 1]);
        return [.. file];

        void Part(byte field, byte[] content) => file.AddRange([field, (byte)content.Length, .. content]);
    }

    // The kept checkpoint's, with two layers and four hashes of its many, and one of the layers again as the rows of two.
    private static byte[] MakeManifest()
    {
        JsonObject configuration = JsonNode.Parse(Golden("format-1/model/config.json"))!.AsObject();
        JsonObject manifest = configuration[CompressionManifest.ConfigurationKey]!.AsObject();
        foreach ((string part, int kept) in ((string, int)[])[("layers", 2), ("hashes", 4)])
        {
            JsonObject all = manifest[part]!.AsObject();
            foreach (string name in all.Skip(kept).Select(entry => entry.Key).ToArray()) all.Remove(name);
        }

        JsonObject layers = manifest["layers"]!.AsObject(), joint = layers.First().Value!.DeepClone().AsObject();
        int rows = joint["shape"]![0]!.GetValue<int>();
        joint["rows"] = new JsonObject { ["a"] = new JsonArray(0, 1), ["b"] = new JsonArray(1, rows - 1) };
        layers.Add("a+b", joint);
        return Text(new JsonObject { [CompressionManifest.ConfigurationKey] = manifest.DeepClone() }.ToJsonString());
    }

    private static byte[] MakeGguf(bool withModel)
    {
        var keys = new List<byte[]>();
        var tensors = new List<byte[]>();
        var data = new List<byte>();
        Key("general.architecture", 8, Name("llama"));
        Key("general.alignment", 4, BitConverter.GetBytes(32));
        Key("test.list", 9, [.. BitConverter.GetBytes(5), .. BitConverter.GetBytes(3L), .. BitConverter.GetBytes(1), .. BitConverter.GetBytes(2), .. BitConverter.GetBytes(3)]);
        Key("test.flag", 7, [1]);
        if (withModel) AddModel();
        else
        {
            Key("test.k1", 4, BitConverter.GetBytes(1));
            Key("test.k3", 4, BitConverter.GetBytes(1));
            AddTensor("a", 1, 8, 4);
            AddTensor("c", 1, 8, 4);
        }

        List<byte> file = [.. Text("GGUF"), .. BitConverter.GetBytes(3), .. BitConverter.GetBytes((long)tensors.Count), .. BitConverter.GetBytes((long)keys.Count)];
        foreach (byte[] part in keys.Concat(tensors)) file.AddRange(part);
        while (file.Count % 32 != 0) file.Add(0);
        file.AddRange(data);
        return [.. file];

        byte[] Name(string text) => [.. BitConverter.GetBytes((long)text.Length), .. Text(text)];

        void Key(string name, int type, byte[] value) => keys.Add([.. Name(name), .. BitConverter.GetBytes(type), .. value]);

        byte[] Texts(params string[] texts) => [.. BitConverter.GetBytes(8), .. BitConverter.GetBytes((long)texts.Length), .. texts.SelectMany(Name)];

        void AddTensor(string name, int rows, int columns, int bytesPerValue)
        {
            byte[] dimensions = rows == 1 ? [.. BitConverter.GetBytes(1), .. BitConverter.GetBytes((long)columns)] : [.. BitConverter.GetBytes(2), .. BitConverter.GetBytes((long)columns), .. BitConverter.GetBytes((long)rows)];
            tensors.Add([.. Name(name), .. dimensions, .. BitConverter.GetBytes(bytesPerValue == 4 ? 0 : 1), .. BitConverter.GetBytes((long)data.Count)]);
            data.AddRange(new byte[rows * columns * bytesPerValue]);
            while (data.Count % 32 != 0) data.Add(0);
        }

        void AddModel()
        {
            foreach ((string name, int value) in ((string, int)[])[("context_length", 16), ("embedding_length", 8), ("block_count", 1), ("feed_forward_length", 12), ("attention.head_count", 2), ("attention.head_count_kv", 1), ("rope.dimension_count", 4), ("vocab_size", 6)])
                Key("llama." + name, 4, BitConverter.GetBytes(value));
            Key("llama.attention.layer_norm_rms_epsilon", 6, BitConverter.GetBytes(1e-5f));
            Key("llama.rope.freq_base", 6, BitConverter.GetBytes(10000f));
            Key("tokenizer.ggml.model", 8, Name("gpt2"));
            Key("tokenizer.ggml.pre", 8, Name("gpt-2"));
            Key("tokenizer.ggml.tokens", 9, Texts("a", "b", "c", "ab", "abc", "<|end|>"));
            Key("tokenizer.ggml.token_type", 9, [.. BitConverter.GetBytes(5), .. BitConverter.GetBytes(6L), .. new[] { 1, 1, 1, 1, 1, 3 }.SelectMany(BitConverter.GetBytes)]);
            Key("tokenizer.ggml.merges", 9, Texts("a b", "ab c"));
            Key("tokenizer.ggml.eos_token_id", 4, BitConverter.GetBytes(5));
            Key("tokenizer.chat_template", 8, Name("{% for m in messages %}{{ m.content }}{% endfor %}"));
            AddTensor("token_embd.weight", 6, 8, 4);
            AddTensor("output_norm.weight", 1, 8, 4);
            AddTensor("blk.0.attn_norm.weight", 1, 8, 4);
            AddTensor("blk.0.ffn_norm.weight", 1, 8, 4);
            AddTensor("blk.0.attn_q.weight", 8, 8, 2);
            AddTensor("blk.0.attn_k.weight", 4, 8, 2);
            AddTensor("blk.0.attn_v.weight", 4, 8, 2);
            AddTensor("blk.0.attn_output.weight", 8, 8, 2);
            AddTensor("blk.0.ffn_gate.weight", 12, 8, 2);
            AddTensor("blk.0.ffn_up.weight", 12, 8, 2);
            AddTensor("blk.0.ffn_down.weight", 8, 12, 2);
        }
    }
}
