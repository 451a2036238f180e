using System.Text;
using System.Text.Json;
using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Templates;
using TensorCompress.Tokenization;

namespace TensorCompress.Fuzz;

/// <summary>The parsers under test: the one list of them.</summary>
public sealed class FuzzTargets : IDisposable
{
    private static readonly string[] JsonHeader = ["Encoding"];

    private static readonly string[] TemplateWords =
    [
        "{{", "}}", "{%", "%}", "{%-", "-%}", "{#", "#}", "if", "for", "in", "set", "macro", "endif", "endfor", "endset", "endmacro", "else", "elif", "not", "and", "or", "is", "loop", "range",
        "messages", "content", "role", "(", ")", "[", "]", "{", "}", "|", "~", "+", "-", "*", "**", "//", "%", "==", "<", ".", ",", ":", "=", "'", "\"", "0", "1", "10", "100000", "1e308", "none", "true",
        "namespace", "tojson", "join", "map", "select", "sort", "replace", "format", "indent", "items", "upper", "split", "append", "__class__", "break", "{{ raise_exception('x') }}", "{% include 'x' %}", "{{ range(10 ** 9) }}", " ", "\n", "é", "😀", "\\",
    ];

    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(Scratch(), "tensorcompress-fuzz-" + Guid.NewGuid().ToString("N")));

    public FuzzTargets()
    {
        (byte[] compressed, byte[] compressedWeights) = TinyModels.Compress(Seeds.Configurations[0], Seeds.RecipeOfAllMethods, _folder.FullName);
        All =
        [
            Binary("safetensors", Seeds.Safetensors, MutateSafetensors, ParseSafetensors, ["Limit", "Truncated", "Encoding"],
                ["Duplicate", "Encoding", "Limit", "Name", "Offset", "Overflow", "Shape", "Size", "Structure", "Trailing", "Truncated", "Type"]),
            Json("safetensors-index", [Seeds.Index], ParseIndex, ["Duplicate", "Inconsistent", "Limit", "Structure", "UnsafePath"]),
            Json("config", Seeds.Configurations, ParseConfiguration, ["Duplicate", "Inconsistent", "Limit", "Structure", "Unsupported", "Value"]),
            Binary("gguf", [Seeds.Gguf], MutateGguf, ParseGguf, ["Magic", "Version"],
                ["Duplicate", "Encoding", "Limit", "Magic", "Name", "Offset", "Overflow", "Shape", "Truncated", "Type", "Value", "Version"]),
            Binary("gguf-model", [Seeds.GgufModel], (mutator, seed) => mutator.Bytes(seed, mutator.Chance(95) ? 24 : 0, 1600), ParseGgufModel, ["Magic", "Version"],
                ["Encoding", "Inconsistent", "Limit", "Offset", "Structure", "Truncated", "Type", "Unsupported", "Value"]),
            Binary("llama2c", [Seeds.Llama2c], (mutator, seed) => mutator.Bytes(seed, 0, mutator.Chance(90) ? 28 : int.MaxValue), ParseLlama2c, ["Version"],
                ["Trailing", "Truncated", "Value"]),
            Binary("llama2c-vocabulary", [Seeds.Llama2cVocabulary], (mutator, seed) => mutator.Bytes(seed), bytes => Llama2cTokenizer.Read(bytes), [],
                ["Duplicate", "Limit", "Truncated", "Value"]),
            Json("tokenizer-json", Seeds.TokenizerJson, bytes => TokenizerJson.Read(bytes).Encode("abc ab<s> a", new EncodeOptions()), ["Duplicate", "Inconsistent", "Structure", "Unsupported", "Value"]),
            Binary("sentencepiece", [Seeds.SentencePieceUnigram, Seeds.SentencePieceBpe], MutateSentencePiece, bytes => SentencePieceTokenizer.Read(bytes).Encode("ab a", new EncodeOptions()), ["Encoding"],
                ["Duplicate", "Encoding", "Inconsistent", "Structure", "Type", "Unsupported", "Value"]),
            Binary("vocab-and-merges", [Seeds.Gpt2Files], MutateGpt2Files, ParseGpt2Files, JsonHeader, ["Duplicate", "Encoding", "Limit", "Structure", "Value"]),
            Json("tokenizer-config", [Seeds.TokenizerConfig], ParseTokenizerConfig, ["Duplicate", "Limit", "Structure", "Type"]),
            Binary("chat-template", Seeds.Templates, (mutator, seed) => mutator.Words(seed, TemplateWords), ParseTemplate, ["Syntax"],
                ["Forbidden", "Limit", "Raised", "Syntax", "Undefined", "Unsupported", "Value"]),
            Json("recipe", Seeds.Recipes, bytes => CompressionRecipe.Parse(bytes), ["Duplicate", "Limit", "Structure", "Unsupported", "Value"]),
            Json("manifest", [Seeds.Manifest], ParseManifest, ["Duplicate", "Inconsistent", "Limit", "Structure", "Unsupported", "Version"]),
            Binary("entropy-coded-weight", CodedWeights.Seeds, CodedWeights.Mutate, CodedWeights.Parse, [], ["Trailing", "Truncated", "Value"]),
            Binary("qet-tensor", CodedWeights.QetTensors, (mutator, seed) => mutator.Bytes(seed, mutator.Chance(90) ? 12 : 0, mutator.Chance(60) ? 96 : int.MaxValue), bytes => QetTensor.Read(new MemoryStream(bytes)), ["Magic", "Version"],
                ["Magic", "Truncated", "Value", "Version"]),
            Json("compressed-model", [compressed], bytes => RunModel(bytes, compressedWeights), ["Duplicate", "Inconsistent", "Limit", "Shape", "Structure", "Type", "Unsupported", "Value", "Version"]),
        ];
    }

    public IReadOnlyList<FuzzTarget> All { get; }

    public void Dispose() => _folder.Delete(recursive: true);

    private static FuzzTarget Json(string name, byte[][] seeds, Action<byte[]> parse, string[] expected) =>
        Binary(name, seeds, JsonMutation.Apply, parse, JsonHeader, [.. expected, "Encoding"]);

    private static FuzzTarget Binary(string name, byte[][] seeds, Func<Mutator, byte[], byte[]> mutate, Action<byte[]> parse, string[] header, string[] expected) => new(name, seeds, mutate, parse)
    {
        HeaderKinds = new HashSet<string>(header),
        ExpectedKinds = new HashSet<string>(expected),
    };

    // Files in memory where the system has such a folder: an input takes microseconds, a disk would not.
    private static string Scratch() => Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();

    private string Write(string name, ReadOnlySpan<byte> bytes)
    {
        string path = Path.Combine(_folder.FullName, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static byte[] MutateSafetensors(Mutator mutator, byte[] seed)
    {
        if (mutator.Chance(15)) return mutator.Bytes(seed);
        int length = (int)BitConverter.ToInt64(seed);
        byte[] header = JsonMutation.Apply(mutator, seed[8..(8 + length)]);
        byte[] file = [.. BitConverter.GetBytes((long)header.Length), .. header, .. seed[(8 + length)..]];
        return mutator.Chance(10) ? mutator.Bytes(file, 8 + header.Length) : file;
    }

    private static void ParseSafetensors(byte[] bytes)
    {
        using SafetensorsFile file = SafetensorsFile.Open(bytes);
        ReadAll(file);
    }

    private void ParseIndex(byte[] bytes)
    {
        Write("s1.safetensors", Seeds.IndexShard1);
        Write("s2.safetensors", Seeds.IndexShard2);
        using ShardedSafetensors model = ShardedSafetensors.Open(Write("model.safetensors.index.json", bytes));
        ReadAll(model);
    }

    private static void ParseConfiguration(byte[] bytes) => RunModel(bytes, Seeds.WeightsFor(bytes));

    private static void RunModel(byte[] configuration, byte[] weights)
    {
        JsonDocuments.Parse(configuration, null).Dispose();
        using ModelCheckpoint checkpoint = ModelCheckpoint.FromTensors(Encoding.UTF8.GetString(configuration), SafetensorsFile.Open(weights));
        _ = checkpoint.Definition.ParameterCount;
        TinyModels.Run(checkpoint);
    }

    private static byte[] MutateGguf(Mutator mutator, byte[] seed)
    {
        if (mutator.Chance(5)) return mutator.Bytes(seed, 0, 8);
        if (!mutator.Chance(3)) return mutator.Bytes(seed, 8);
        byte[] doubled = [.. seed]; // one key under the name of another
        doubled[seed.AsSpan().IndexOf("test.k3"u8) + 6] = (byte)'1';
        return doubled;
    }

    // Most changes are within a part of the message, whose length follows: else hardly an input would get past its frame.
    private static byte[] MutateSentencePiece(Mutator mutator, byte[] seed)
    {
        if (mutator.Chance(15)) return mutator.Bytes(seed);
        var parts = new List<byte[]>();
        for (int at = 0; at < seed.Length; at += 2 + seed[at + 1]) parts.Add(seed[at..(at + 2 + seed[at + 1])]);
        for (int count = 1 + mutator.Next(2); count > 0; count--)
        {
            int place = mutator.Next(parts.Count);
            byte[] part = [.. parts[place]];
            switch (mutator.Next(5))
            {
                case 0 when parts.Count > 1:
                    parts.RemoveAt(place);
                    break;
                case 1:
                    parts.Insert(mutator.Next(parts.Count), part);
                    break;
                case 2:
                    byte[] content = mutator.Bytes(part[2..]);
                    parts[place] = [part[0], (byte)Math.Min(127, content.Length), .. content.AsSpan(0, Math.Min(127, content.Length))];
                    break;
                default:
                    part[^(1 + mutator.Next(Math.Min(6, part.Length - 2)))] = mutator.Pick<byte>([0, 1, 2, 3, 4, 5, 6, 7, 0x7F, 0x80, 0xC0, 0xFF]); // score, type, flags
                    parts[place] = part;
                    break;
            }
        }

        return [.. parts.SelectMany(part => part)];
    }

    private static void ParseGguf(byte[] bytes)
    {
        using GgufFile file = GgufFile.Open(bytes);
        _ = file.Metadata;
    }

    private void ParseGgufModel(byte[] bytes)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(Write("model.gguf", bytes));
        _ = checkpoint.Definition.ParameterCount;
        ReadAll(checkpoint.Tensors);
        checkpoint.LoadTokenizer()?.Encode("abc", new EncodeOptions());
        checkpoint.LoadChatTemplate()?.Render([new ChatMessage("user", "a")]);
        TinyModels.Run(checkpoint);
    }

    private void ParseLlama2c(byte[] bytes)
    {
        using Llama2cFile file = Llama2cFile.Open(Write("model.bin", bytes));
        ReadAll(file);
    }

    private void ParseTokenizerConfig(byte[] bytes)
    {
        Write("tokenizer_config.json", bytes);
        _ = ChatTemplate.ReadFolder(_folder.FullName);
        File.Delete(Path.Combine(_folder.FullName, "tokenizer_config.json"));
    }

    private static byte[] MutateGpt2Files(Mutator mutator, byte[] seed)
    {
        int separator = Array.IndexOf(seed, Seeds.Separator);
        byte[] vocabulary = seed[..separator], merges = seed[(separator + 1)..];
        if (mutator.Chance(60)) vocabulary = JsonMutation.Apply(mutator, vocabulary);
        else if (mutator.Chance(70)) merges = mutator.Words(merges, ["a", "b", "ab", " ", "\n", "x", "#version", "\r", "é"]);
        else merges = mutator.Bytes(merges);
        return [.. vocabulary, Seeds.Separator, .. merges];
    }

    private void ParseGpt2Files(byte[] bytes)
    {
        int separator = Math.Max(0, Array.IndexOf(bytes, Seeds.Separator));
        string vocabulary = Write("vocab.json", bytes.AsSpan(0, separator));
        Write("merges.txt", bytes.AsSpan(Math.Min(bytes.Length, separator + 1)));
        TokenizerLoader.Load(vocabulary).Encode("abc ab", new EncodeOptions());
    }

    private static void ParseTemplate(byte[] bytes) => JinjaTemplate.Parse(Encoding.UTF8.GetString(bytes)).Render(Seeds.TemplateVariables, TimeProvider.System);

    private static void ParseManifest(byte[] bytes)
    {
        using JsonDocument configuration = JsonDocuments.Parse(bytes, null);
        CompressionManifest.Read(configuration.RootElement);
    }

    private static void ReadAll(ITensorSource tensors)
    {
        foreach (TensorInfo tensor in tensors.Tensors.Values)
        {
            if (tensor.ByteLength < 1 << 16) tensors.ReadBytes(tensor.Name, 0, new byte[tensor.ByteLength]);
        }
    }
}
