using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Models;
using TensorCompress.Storage;

namespace TensorCompress.Pipeline;

/// <summary>The output exists, as a file or as a folder with content: it is never overwritten.</summary>
public sealed class OutputExistsException(string path)
    : IOException($"The output {path} exists; choose another name or remove it.");

/// <summary>
/// Writes a checkpoint folder: tensors, configuration, and the files that travel with a model. Everything is made in a hidden folder beside the output
/// and renamed when it is whole, so the output is never half-written; what a killed run left there is removed by the next one.
/// </summary>
/// <remarks>A file in the folder stays locked as long as the writer lives, so that no other job takes the folder for one that a killed run left.</remarks>
internal sealed class CheckpointWriter : IDisposable
{
    public const string WeightsFile = "model.safetensors";

    /// <summary>The one entry of the metadata in the header of the weight file, under <c>format</c>: other readers ask for it.</summary>
    public const string MetadataFormat = "pt";

    private const string ConfigurationFile = "config.json", LockFile = ".lock";

    private readonly string _output;
    private readonly SafetensorsWriter _writer;
    private readonly FileStream _lock;
    private bool _isPublished;

    private CheckpointWriter(string output, string staging, FileStream held, SafetensorsWriter writer)
    {
        _output = output;
        Staging = staging;
        _lock = held;
        _writer = writer;
    }

    /// <summary>The folder in the making.</summary>
    public string Staging { get; }

    /// <summary>Takes the tensors.</summary>
    public ITensorSink Tensors => _writer;

    /// <exception cref="OutputExistsException">The output exists and is not empty.</exception>
    /// <exception cref="IOException">Another job is making it.</exception>
    public static CheckpointWriter Create(string output)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output));
        if (File.Exists(full) || (Directory.Exists(full) && Directory.EnumerateFileSystemEntries(full).Any())) throw new OutputExistsException(output);
        string parent = Path.GetDirectoryName(full) ?? throw new ArgumentException($"{output} is not a folder that can be written.", nameof(output));
        string staging = Path.Combine(parent, $".{Path.GetFileName(full)}.partial");
        Directory.CreateDirectory(parent);
        if (Directory.Exists(staging))
        {
            Lock(staging, output).Dispose(); // what is not locked is left over
            Directory.Delete(staging, recursive: true);
        }

        Directory.CreateDirectory(staging);
        FileStream held = Lock(staging, output);
        try
        {
            var metadata = new Dictionary<string, string> { ["format"] = MetadataFormat };
            return new CheckpointWriter(full, staging, held, SafetensorsWriter.Create(Path.Combine(staging, WeightsFile), metadata));
        }
        catch
        {
            held.Dispose();
            Directory.Delete(staging, recursive: true);
            throw;
        }
    }

    /// <summary>Finishes the weights file; no tensor can be added afterwards.</summary>
    public void CompleteTensors() => _writer.Complete();

    /// <summary>Writes <c>config.json</c>: the source's configuration without a manifest, or with the given one.</summary>
    public void WriteConfiguration(ModelCheckpoint source, CompressionManifest? manifest, string? elementType = null)
    {
        JsonObject configuration = JsonObject.Create(source.Configuration.Root)!.DeepClone().AsObject();
        configuration.Remove(CompressionManifest.ConfigurationKey);
        if (elementType is not null)
        {
            configuration.Remove("dtype");
            configuration["torch_dtype"] = elementType;
        }

        if (manifest is not null) configuration.Add(CompressionManifest.ConfigurationKey, manifest.ToJson());
        DurableFile.WriteAllText(Path.Combine(Staging, ConfigurationFile), configuration.ToJsonString(Formatting.Indented) + "\n");
    }

    /// <summary>Copies tokenizer, template and generation files byte for byte, or writes them from GGUF metadata.</summary>
    public void WriteCompanionFiles(ModelCheckpoint source)
    {
        foreach (CompanionFile file in source.CompanionFiles)
        {
            string path = Path.Combine(Staging, file.Name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            DurableFile.Write(path, file.WriteTo);
        }
    }

    /// <summary>Makes the folder visible under its final name.</summary>
    public void Publish()
    {
        if (Directory.Exists(_output)) Directory.Delete(_output); // empty, as Create has seen
        _lock.Dispose();
        DurableFile.PublishFolder(Staging, _output);
        _isPublished = true;
    }

    /// <summary>Removes what was not published.</summary>
    public void Dispose()
    {
        try
        {
            _writer.Dispose();
        }
        finally // a full disk fails the writer's last flush too
        {
            _lock.Dispose();
            if (!_isPublished && Directory.Exists(Staging)) Directory.Delete(Staging, recursive: true);
        }
    }

    private static FileStream Lock(string staging, string output)
    {
        try
        {
            return new FileStream(Path.Combine(staging, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);
        }
        catch (IOException fault)
        {
            throw new IOException($"Another job is making {output} (its folder {staging} is locked); choose another name or wait for it.", fault);
        }
    }

    private static class Formatting
    {
        public static readonly System.Text.Json.JsonSerializerOptions Indented = new() { WriteIndented = true, TypeInfoResolver = System.Text.Json.Serialization.Metadata.JsonTypeInfoResolver.Combine() };
    }
}
