using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tests.Storage;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;
using static TensorCompress.Tests.Storage.GgufBytes;
using Kind = TensorCompress.Storage.TensorFormatError;

namespace TensorCompress.Tests.Models;

/// <summary>GGUF files that are well formed and describe no model, or a strange one.</summary>
public class GgufModelTests
{
    private static readonly SortedDictionary<string, (TinyGguf File, Kind[] Kinds)> Rows = CreateRows();

    public static TheoryData<string> Ids => [.. Rows.Keys];

    [Fact]
    public void The_model_that_the_rows_spoil_is_whole()
    {
        using var folder = new TemporaryFolder();
        using LanguageModel model = LanguageModel.Load(new TinyGguf().WriteTo(folder));
        Assert.Equal([2], model.Tokenizer!.Encode("ab", new EncodeOptions()));
        using Session session = model.CreateSession();
        Assert.Equal(3, session.Append([0, 1, 2]).Length);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Is_refused_with_its_kind(string id)
    {
        using var folder = new TemporaryFolder();
        string path = Rows[id].File.WriteTo(folder);
        TensorFormatException fault = ReaderVerdicts.Rejected(() => LanguageModel.Load(path), Rows[id].Kinds);
        Assert.DoesNotContain("Exception", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0x7C00)]
    [InlineData(0xFC00)]
    [InlineData(0x7E00)]
    public void G42_a_scale_that_is_not_finite_is_found_when_the_model_is_loaded(int scale)
    {
        using var folder = new TemporaryFolder();
        foreach ((uint type, int bytes) in new[] { (2u, 18), (8u, 34) })
        {
            var block = new byte[bytes];
            block.AsSpan().Fill(0x11);
            BitConverter.GetBytes((ushort)scale).CopyTo(block, 0);
            string path = new TinyGguf { Weights = (type, block) }.WriteTo(folder);
            using (ModelCheckpoint checkpoint = ModelCheckpoint.Open(path)) Assert.Equal("llama", checkpoint.Definition.ModelType);
            TensorFormatException fault = ReaderVerdicts.Rejected(() => LanguageModel.Load(path), Kind.Value);
            Assert.Contains("element ", fault.Message, StringComparison.Ordinal);
            Assert.NotNull(fault.Tensor);
        }
    }

    [Theory]
    [InlineData("{% for i in range(10**9) %}{% endfor %}")]
    [InlineData("{{ ''.__class__.__mro__ }}")]
    public void G49_a_chat_template_is_not_run_when_the_model_is_loaded(string template)
    {
        using var folder = new TemporaryFolder();
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(new TinyGguf().With("tokenizer.chat_template", 8, Text(template)).WriteTo(folder));
        Assert.Equal(template, checkpoint.LoadChatTemplate()?.DefaultSource);
        Assert.NotNull(checkpoint.LoadTokenizer());
    }

    [Fact]
    public void An_unknown_architecture_names_the_closest()
    {
        using var folder = new TemporaryFolder();
        string path = new TinyGguf().With("general.architecture", 8, Text("gemma9")).WriteTo(folder);
        string message = ReaderVerdicts.Rejected(() => LanguageModel.Load(path), Kind.Unsupported).Message;
        Assert.Contains("supported: llama, qwen2, qwen3, gemma2, gemma3, phi3, smollm3, olmo2, granite, gpt2, gptneox; the closest is gemma2", message, StringComparison.Ordinal);
    }

    private static SortedDictionary<string, (TinyGguf File, Kind[] Kinds)> CreateRows()
    {
        var rows = new SortedDictionary<string, (TinyGguf File, Kind[] Kinds)>(StringComparer.Ordinal);
        Add("G-43", [Kind.Value], Without("general.architecture"), String("general.architecture", new string('a', 300)), String("general.architecture", "../x"));
        Add("G-44", [Kind.Value], Number("llama.block_count", 1U << 31), Number("llama.attention.head_count", 0), Number("llama.attention.head_count_kv", 3),
            Number("llama.embedding_length", 33), With("llama.context_length", 10, U64(1UL << 40)), Single("llama.rope.freq_base", float.NaN), Single("llama.rope.freq_base", 0),
            Single("llama.rope.freq_base", -1), Single("llama.attention.layer_norm_rms_epsilon", float.NaN), Without("llama.context_length"));
        Add("G-45", [Kind.Inconsistent],
            With("tokenizer.ggml.scores", 9, List(6, 2, U32(0), U32(0))), With("tokenizer.ggml.token_type", 9, List(5, 4, U32(1), U32(1), U32(1), U32(1))));
        Add("G-46", [Kind.Value], [.. new[] { "bos", "eos", "padding" }.SelectMany(name => new[]
        {
            Number($"tokenizer.ggml.{name}_token_id", 3), With($"tokenizer.ggml.{name}_token_id", 5, U32(uint.MaxValue)), Number($"tokenizer.ggml.{name}_token_id", uint.MaxValue),
        })]);
        Add("G-48", [Kind.Value, Kind.Inconsistent], With("tokenizer.ggml.merges", 9, List(8, 1, Text("a c"))), With("tokenizer.ggml.merges", 9, List(8, 1, Text("ab"))));
        Add("G-50", [Kind.Inconsistent], With("split.count", 2, BitConverter.GetBytes((ushort)3)));
        Add("T-22", [Kind.Inconsistent], With("tokenizer.ggml.tokens", 9, List(8, 4, Text("a"), Text("b"), Text("ab"), Text("c"))));
        Add("Z-08", [Kind.Inconsistent], Number("llama.feed_forward_length", 32), Number("llama.block_count", 2));
        return rows;

        void Add(string id, Kind[] kinds, params TinyGguf[] files)
        {
            for (int i = 0; i < files.Length; i++) rows.Add(files.Length == 1 ? id : id + (char)('a' + i), (files[i], kinds));
        }
    }

    private static TinyGguf With(string key, uint type, byte[] value) => new TinyGguf().With(key, type, value);

    private static TinyGguf Without(string key) => new TinyGguf().With(key);

    private static TinyGguf String(string key, string text) => With(key, 8, Text(text));

    private static TinyGguf Number(string key, uint value) => With(key, 4, U32(value));

    private static TinyGguf Single(string key, float value) => With(key, 6, BitConverter.GetBytes(value));
}
