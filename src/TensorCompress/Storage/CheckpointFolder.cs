using System.Text.Json;

namespace TensorCompress.Storage;

/// <summary>A Hugging Face checkpoint folder: <c>config.json</c>, tensors in one or more safetensors files, and the files that travel with them.</summary>
public sealed class CheckpointFolder : IDisposable
{
    private const string WeightsName = "model.safetensors";
    private const string IndexName = "model.safetensors.index.json";

    private static readonly string[] CompanionNames =
    [
        "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt",
        "generation_config.json", "chat_template.jinja", "chat_template.json", "characters.json",
    ];

    // Formats that run code when they are loaded, or that other programs must convert first.
    private static readonly string[] PickleExtensions = [".bin", ".pt", ".pth", ".ckpt", ".pkl"];

    private const string FurtherTemplates = "additional_chat_templates";

    private readonly JsonDocument _configuration;

    private CheckpointFolder(JsonDocument configuration, ITensorSource tensors, IReadOnlyList<string> weightFiles, IReadOnlyList<string> files, IReadOnlyList<string> warnings)
    {
        _configuration = configuration;
        Tensors = tensors;
        WeightFiles = weightFiles;
        Files = files;
        Warnings = warnings;
    }

    /// <summary>The tensors.</summary>
    public ITensorSource Tensors { get; }

    /// <summary>The root of <c>config.json</c>.</summary>
    public JsonElement Configuration => _configuration.RootElement;

    /// <summary>Paths of the files that hold the tensors.</summary>
    public IReadOnlyList<string> WeightFiles { get; }

    /// <summary>Paths of tokenizer, template and generation files, in a fixed order.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>Oddities that do no harm.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>Opens a folder: <c>model.safetensors</c>, a sharded index, or the only <c>*.safetensors</c> in it.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="TensorFormatException">It is no checkpoint of this kind, or damaged.</exception>
    public static CheckpointFolder Open(string path)
    {
        if (!Directory.Exists(path)) throw new DirectoryNotFoundException($"There is no folder {path}.");
        string configurationPath = Path.Combine(path, "config.json");
        if (!File.Exists(configurationPath)) throw new TensorFormatException(TensorFormatError.Structure, "a checkpoint folder has a config.json, and this one has none", path);
        JsonDocument configuration = JsonDocuments.Read(configurationPath);
        try
        {
            (ITensorSource tensors, IReadOnlyList<string> weights, IReadOnlyList<string> warnings) = OpenTensors(path);
            return new CheckpointFolder(configuration, tensors, weights, FindCompanions(path), warnings);
        }
        catch
        {
            configuration.Dispose();
            throw;
        }
    }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        Tensors.Dispose();
        _configuration.Dispose();
    }

    private static (ITensorSource Tensors, IReadOnlyList<string> Weights, IReadOnlyList<string> Warnings) OpenTensors(string path)
    {
        string single = Path.Combine(path, WeightsName);
        string index = Path.Combine(path, IndexName);
        if (!File.Exists(single) && File.Exists(index))
        {
            ShardedSafetensors sharded = ShardedSafetensors.Open(index);
            return (sharded, sharded.Files, sharded.Warnings);
        }

        if (!File.Exists(single))
        {
            string[] candidates = [.. Directory.GetFiles(path, "*.safetensors").Order(StringComparer.Ordinal)];
            if (candidates.Length != 1) throw NoTensors(path, candidates);
            single = candidates[0];
        }

        SafetensorsFile file = SafetensorsFile.Open(single);
        return (file, [single], file.Warnings);
    }

    private static TensorFormatException NoTensors(string path, string[] candidates)
    {
        if (candidates.Length > 1)
            return new(TensorFormatError.Inconsistent, $"{candidates.Length} safetensors files and neither {WeightsName} nor {IndexName}: which one is meant?", path);
        string? pickle = Directory.EnumerateFiles(path).FirstOrDefault(file => PickleExtensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase) && !Path.GetFileName(file).StartsWith("tok", StringComparison.Ordinal));
        return pickle is null
            ? new(TensorFormatError.Structure, $"there is no {WeightsName}, {IndexName} or other *.safetensors", path)
            : new(TensorFormatError.Unsupported, $"{Path.GetFileName(pickle)} is a pickle checkpoint, which runs code when it is read; convert it to safetensors with the program that made it", path);
    }

    private static string[] FindCompanions(string path)
    {
        string templates = Path.Combine(path, FurtherTemplates);
        return
        [
            .. CompanionNames.Select(name => Path.Combine(path, name)).Where(File.Exists),
            .. Directory.GetFiles(path, "tok*.bin").Order(StringComparer.Ordinal),
            .. (Directory.Exists(templates) ? Directory.GetFiles(templates, "*.jinja") : []).Order(StringComparer.Ordinal),
        ];
    }
}
