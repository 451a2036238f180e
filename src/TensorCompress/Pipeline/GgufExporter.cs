using System.Diagnostics;
using TensorCompress.Models;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Threading;

namespace TensorCompress.Pipeline;

/// <summary>Types in which the matrices of a GGUF file can be written. Norms, biases and learned positions are always F32.</summary>
public enum GgufWeightType
{
    /// <summary>32-bit floats.</summary>
    F32,

    /// <summary>16-bit floats.</summary>
    F16,

    /// <summary>bfloat16.</summary>
    BF16,

    /// <summary>ggml's Q8_0: 8-bit codes, one scale for 32 values.</summary>
    Q80,

    /// <summary>ggml's Q4_0: 4-bit codes, one scale for 32 values; the head is Q8_0.</summary>
    Q40,
}

/// <summary>What an export made.</summary>
/// <param name="StoredBytes">Bytes of the file.</param>
/// <param name="BitsPerWeight">All stored bits over all parameters.</param>
/// <param name="Type">Type of the matrices.</param>
/// <param name="Elapsed">Time taken.</param>
/// <param name="Warnings">What a user should know.</param>
public sealed record GgufExportReport(long StoredBytes, double BitsPerWeight, GgufWeightType Type, TimeSpan Elapsed, IReadOnlyList<string> Warnings);

/// <summary>Writes any checkpoint that can be read, dense or compressed, as a GGUF file for llama.cpp and its relatives.</summary>
public static class GgufExporter
{
    /// <summary>Exports; the file appears whole or not at all, and one of its name is never overwritten.</summary>
    /// <param name="model">Checkpoint folder, GGUF or llama2.c file.</param>
    /// <param name="output">File to make.</param>
    /// <param name="type">Type of the matrices. Quantised as ggml's reference does; rows that are no whole blocks become F16.</param>
    /// <param name="progress">Told after each tensor; may be null.</param>
    /// <param name="cancellationToken">Looked at between tensors.</param>
    /// <exception cref="NotSupportedException">GGUF has no such architecture, or its readers would compute something else.</exception>
    /// <exception cref="ArgumentException">A weight does not fit into the type.</exception>
    /// <exception cref="TensorFormatException">The source is damaged or not supported.</exception>
    /// <exception cref="OutputExistsException">The output exists.</exception>
    public static GgufExportReport Export(
        string model, string output, GgufWeightType type = GgufWeightType.F16, IProgress<JobProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        if (!Enum.IsDefined(type)) throw new ArgumentOutOfRangeException(nameof(type), type, "There is no such type.");
        if (Path.Exists(output)) throw new OutputExistsException(output);
        var clock = Stopwatch.StartNew();
        using ModelCheckpoint source = ModelCheckpoint.Open(model);
        IGgufArchitecture architecture = Architecture(source.Definition);
        var export = new GgufExport(JointLayers.Separate(source.Definition), architecture.GgufArchitecture);
        WriteGeneral(export, source, type);
        architecture.Export(export);
        if (GgufTokenizers.Write(export.Metadata, source) is { } warning) export.Warnings.Add(warning);
        GgufTensorContent[] tensors = [.. new GgufTensors(source, architecture, export, type).All()];
        string[] fallbacks = [.. tensors.Where(tensor => tensor.Type == GgufTensorTypes.F16 && type is GgufWeightType.Q80 or GgufWeightType.Q40).Select(tensor => tensor.Name)];
        if (fallbacks.Length > 0) export.Warnings.Add($"{fallbacks.Length} matrices have rows that are no whole blocks of 32 and are F16, first {fallbacks[0]}");
        GgufWriter.Write(output, export.Metadata, tensors, ComputePool.Shared, written =>
            progress?.Report(new JobProgress(written, tensors.Length, tensors[written - 1].Name, (double)written / tensors.Length, clock.Elapsed)), cancellationToken);
        long bytes = new FileInfo(output).Length;
        return new GgufExportReport(bytes, bytes * 8.0 / source.Definition.ParameterCount, type, clock.Elapsed, [.. source.Warnings, .. export.Warnings]);
    }

    private static IGgufArchitecture Architecture(ModelDefinition definition) =>
        ModelRegistry.All.FirstOrDefault(candidate => candidate.ModelType == definition.ModelType) as IGgufArchitecture ?? throw new NotSupportedException(
            $"GGUF files of \"{definition.ModelType}\" are not written; supported: {string.Join(", ", ModelRegistry.All.Where(known => known is IGgufArchitecture).Select(known => known.ModelType))}.");

    private static void WriteGeneral(GgufExport export, ModelCheckpoint source, GgufWeightType type)
    {
        export.Metadata.Add("general.architecture", export.Architecture);
        export.Metadata.Add("general.type", "model");
        export.Metadata.Add("general.name", Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(source.Path)));
        // Numbers of llama.cpp's list of mixtures.
        export.Metadata.Add("general.file_type", type switch { GgufWeightType.F32 => 0u, GgufWeightType.F16 => 1u, GgufWeightType.Q40 => 2u, GgufWeightType.Q80 => 7u, _ => 32u });
        if (type is GgufWeightType.Q80 or GgufWeightType.Q40) export.Metadata.Add("general.quantization_version", 2u);
    }
}
