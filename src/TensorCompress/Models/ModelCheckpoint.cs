using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using TensorCompress.Compression;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Templates;
using TensorCompress.Tensors;
using TensorCompress.Tokenization;

namespace TensorCompress.Models;

/// <summary>
/// A model on disk, whatever it is stored in: a Hugging Face folder, a GGUF file or a llama2.c file, dense or compressed. Tensors have Hugging Face names, shapes and row order.
/// </summary>
public sealed class ModelCheckpoint : IDisposable
{
    private readonly Func<string?, Tokenizer?> _loadTokenizer;
    private readonly JsonDocument? _configurationOwner;
    private readonly IReadOnlyList<string> _fileWarnings;
    private ModelDefinition? _definition;

    private ModelCheckpoint(
        string path, string format, JsonElement configuration, JsonDocument? configurationOwner, ITensorSource tensors, IReadOnlyList<string> weightFiles,
        IReadOnlyList<CompanionFile> companionFiles, IReadOnlyList<string> warnings, Func<string?, Tokenizer?> loadTokenizer)
    {
        Path = path;
        Format = format;
        Configuration = new ModelConfiguration(configuration, path);
        _configurationOwner = configurationOwner;
        Tensors = tensors;
        WeightFiles = weightFiles;
        CompanionFiles = companionFiles;
        _fileWarnings = warnings;
        _loadTokenizer = loadTokenizer;
        Manifest = CompressionManifest.Read(configuration, path);
    }

    private Func<ChatTemplate?>? TemplateReader { get; init; }

    /// <summary>Folder or file it was opened from.</summary>
    public string Path { get; }

    /// <summary><c>safetensors</c>, <c>gguf</c> or <c>llama2.c</c>.</summary>
    public string Format { get; }

    /// <summary>The configuration in Hugging Face terms.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>The tensors under Hugging Face names.</summary>
    public ITensorSource Tensors { get; }

    /// <summary>The files that hold the weights.</summary>
    public IReadOnlyList<string> WeightFiles { get; }

    /// <summary>Files that travel with the model.</summary>
    public IReadOnlyList<CompanionFile> CompanionFiles { get; }

    /// <summary>What a user should know about the files and the model in them.</summary>
    /// <exception cref="TensorFormatException">As <see cref="Definition"/>.</exception>
    public IReadOnlyList<string> Warnings => [.. _fileWarnings, .. Configuration.Ignored, .. Definition.Warnings];

    /// <summary>How the layers are compressed; null for a dense checkpoint.</summary>
    public CompressionManifest? Manifest { get; }

    /// <summary>What the model computes.</summary>
    /// <exception cref="TensorFormatException">The architecture is not supported, or the configuration is bad.</exception>
    public ModelDefinition Definition => _definition ??= JointLayers.Read(ModelRegistry.Define(Configuration, Tensors.Tensors), Manifest, Path);

    /// <summary>Bytes of the weight files, headers included.</summary>
    public long WeightBytes => WeightFiles.Sum(file => new FileInfo(file).Length);

    /// <summary>The same model with other tensors, of the same names and shapes.</summary>
    /// <param name="tensors">Disposed with the result.</param>
    /// <param name="definition">What its layers are; null for those of this checkpoint.</param>
    /// <returns>Valid as long as this checkpoint is open.</returns>
    internal ModelCheckpoint With(ITensorSource tensors, ModelDefinition? definition = null) =>
        new(Path, Format, Configuration.Root, configurationOwner: null, tensors, WeightFiles, CompanionFiles, _fileWarnings, _loadTokenizer) { _definition = definition ?? Definition, TemplateReader = TemplateReader };

    /// <summary>Opens a checkpoint.</summary>
    /// <param name="path">Checkpoint folder, <c>.gguf</c> file or llama2.c <c>.bin</c> file.</param>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="TensorFormatException">It is damaged, or of a kind that is not supported.</exception>
    public static ModelCheckpoint Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path)) return OpenFolder(path);
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no model at {path}.", path);
        if (System.IO.Path.GetExtension(path) is ".safetensors" or ".json")
            throw new TensorFormatException(TensorFormatError.Unsupported, "a model of safetensors files is opened by its folder, which holds its config.json too", path);
        return HasGgufExtensionOrMagic(path) ? OpenGguf(path) : OpenLlama2c(path);
    }

    /// <summary>A checkpoint whose tensors are at hand, without files or tokenizer.</summary>
    /// <param name="configuration">The text of a <c>config.json</c>.</param>
    /// <param name="tensors">Tensors under Hugging Face names; disposed with the checkpoint.</param>
    /// <param name="definition">What the model computes; null to take it from the configuration.</param>
    /// <exception cref="TensorFormatException">The configuration is not a JSON object.</exception>
    public static ModelCheckpoint FromTensors(string configuration, ITensorSource tensors, ModelDefinition? definition = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        JsonDocument document = JsonDocuments.Parse(Encoding.UTF8.GetBytes(configuration), null);
        return new ModelCheckpoint("", "memory", document.RootElement, document, tensors, [], [], [], chosen => chosen is null ? null : LoadChosen(chosen, null)) { _definition = definition };
    }

    /// <summary>The tokenizer.</summary>
    /// <param name="path">A tokenizer file or folder, or a GGUF file with a tokenizer, in place of the one that lies with the model; null for that one.</param>
    /// <returns>Null where none lies with the model.</returns>
    /// <exception cref="TensorFormatException">It is damaged or not supported.</exception>
    public Tokenizer? LoadTokenizer(string? path = null) => _loadTokenizer(path);

    /// <summary>The template that turns a chat into a prompt.</summary>
    /// <returns>Null where the model has none.</returns>
    /// <exception cref="TensorFormatException">A file that holds it is damaged.</exception>
    public ChatTemplate? LoadChatTemplate() => TemplateReader?.Invoke();

    /// <summary>Whether a tensor repeats another: the head of a tied model.</summary>
    public bool IsRedundant(string tensor) => Definition.Head is null && tensor == "lm_head.weight";

    /// <summary>The bytes of a file that travels with the model, or null.</summary>
    internal byte[]? ReadCompanion(string name) => CompanionFiles.FirstOrDefault(file => file.Name == name)?.ReadAll();

    /// <summary>Name of the type in which a tensor's values are stored: of GGUF files ggml's, else that of safetensors.</summary>
    public string StoredTensorType(string tensor) => Tensors is GgufModelTensors gguf ? gguf.StoredType(tensor) : Tensors.Tensors[tensor].ElementType.Name();

    /// <summary>Bytes that a tensor takes in the weight file (GGUF stores most of them quantised).</summary>
    public long StoredTensorBytes(string tensor) => Tensors is GgufModelTensors gguf ? gguf.StoredBytes(tensor) : Tensors.Tensors[tensor].ByteLength;

    /// <summary>SHA-256 of the weight files in order, lower-case hexadecimal: what a result was made from.</summary>
    public string ComputeHash(CancellationToken cancellationToken = default)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var block = new byte[1 << 20];
        foreach (string file in WeightFiles)
        {
            using FileStream stream = File.OpenRead(file);
            int read;
            while ((read = stream.Read(block)) > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                hash.AppendData(block, 0, read);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        Tensors.Dispose();
        _configurationOwner?.Dispose();
    }

    private static ModelCheckpoint OpenFolder(string path)
    {
        CheckpointFolder folder = CheckpointFolder.Open(path);
        CompanionFile[] companions = [.. folder.Files.Select(file => new CompanionFile(System.IO.Path.GetRelativePath(path, file), stream => CopyFile(file, stream)))];
        return Guarded(folder.Tensors, () => new ModelCheckpoint(
            path, "safetensors", folder.Configuration, null, folder.Tensors, folder.WeightFiles, companions, folder.Warnings,
            chosen => LoadTokenizer(chosen, path, folder.Configuration))
        {
            TemplateReader = () => ChatTemplate.ReadFolder(path),
        });
    }

    private static ModelCheckpoint OpenLlama2c(string path)
    {
        Llama2cFile file = Llama2cFile.Open(path);
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        string[] vocabularies = Directory.GetFiles(folder, "tok*.bin");
        CompanionFile[] companions = vocabularies.Length == 1 ? [new CompanionFile(System.IO.Path.GetFileName(vocabularies[0]), stream => CopyFile(vocabularies[0], stream))] : [];
        return Guarded(file, () => new ModelCheckpoint(
            path, "llama2.c", file.Configuration, null, file, [path], companions, [],
            chosen => LoadTokenizer(chosen, folder, file.Configuration)));
    }

    private static ModelCheckpoint OpenGguf(string path)
    {
        GgufFile file = GgufFile.Open(path);
        return Guarded(file, () =>
        {
            string name = GgufModelMetadata.Architecture(file, path);
            if (file.Metadata.Integer("split.count") is > 1 and { } parts)
                throw new TensorFormatException(TensorFormatError.Inconsistent, $"the file is one of {parts} parts, which are read as one file only: merge them with the program that split them", path);
            IGgufArchitecture architecture = ModelRegistry.All.OfType<IGgufArchitecture>().FirstOrDefault(candidate => candidate.GgufArchitecture == name)
                ?? throw new TensorFormatException(
                    TensorFormatError.Unsupported,
                    $"general.architecture \"{name}\"; supported: {ModelRegistry.Supported(ModelRegistry.All.OfType<IGgufArchitecture>().Select(candidate => candidate.GgufArchitecture).Distinct(), name)}", path);
            var metadata = new GgufModelMetadata(file, name, path);
            JsonDocument configuration = JsonDocument.Parse(architecture.CreateConfiguration(metadata).ToJsonString());
            GgufVocabulary? vocabulary = GgufVocabularies.Read(file);
            var tensors = new GgufModelTensors(file, architecture, metadata, path);
            return new ModelCheckpoint(
                path, "gguf", configuration.RootElement, configuration, tensors, [path],
                vocabulary is null ? [] : GgufVocabularies.CompanionFiles(vocabulary), tensors.Warnings,
                chosen => chosen is not null ? LoadChosen(chosen, VocabularySize(configuration.RootElement))
                    : vocabulary is null ? null : TokenizerLoader.Fitting(TokenizerFactory.FromGguf(vocabulary, path), VocabularySize(configuration.RootElement), path))
            {
                TemplateReader = () => GgufChatTemplates.Read(file, vocabulary),
            };
        });
    }

    private static Tokenizer? LoadTokenizer(string? chosen, string folder, JsonElement configuration) => chosen is null
        ? TokenizerLoader.TryLoad(folder, VocabularySize(configuration))
        : LoadChosen(chosen, VocabularySize(configuration));

    // Any tokenizer file, or the one in a GGUF file.
    private static Tokenizer LoadChosen(string path, int? vocabularySize)
    {
        if (!System.IO.Path.GetExtension(path).Equals(".gguf", StringComparison.OrdinalIgnoreCase)) return TokenizerLoader.Load(path, vocabularySize);
        Tokenizer tokenizer = GgufTokenizer.Load(path) ?? throw new TensorFormatException(TensorFormatError.Structure, "the file has no tokenizer", path);
        return TokenizerLoader.Fitting(tokenizer, vocabularySize, path);
    }

    private static ModelCheckpoint Guarded(ITensorSource source, Func<ModelCheckpoint> create)
    {
        try
        {
            return create();
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    private static int? VocabularySize(JsonElement configuration) =>
        configuration.TryGetProperty("vocab_size", out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int size) ? size : null;

    private static bool HasGgufExtensionOrMagic(string path)
    {
        if (System.IO.Path.GetExtension(path).Equals(".gguf", StringComparison.OrdinalIgnoreCase)) return true;
        Span<byte> magic = stackalloc byte[4];
        using FileStream stream = File.OpenRead(path);
        return stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false) == 4 && Encoding.ASCII.GetString(magic) == "GGUF";
    }

    private static void CopyFile(string path, Stream destination)
    {
        using FileStream source = File.OpenRead(path);
        source.CopyTo(destination);
    }
}
