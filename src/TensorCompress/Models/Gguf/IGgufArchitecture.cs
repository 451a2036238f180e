using System.Text.Json.Nodes;
using TensorCompress.Storage;

namespace TensorCompress.Models.Gguf;

/// <summary>What an architecture's GGUF files mean in Hugging Face terms, and the other way round. Implemented by the <see cref="IArchitecture"/> that has such files.</summary>
internal interface IGgufArchitecture
{
    /// <summary>The value of <c>general.architecture</c>. Of several architectures with one value the first of the registry reads files.</summary>
    string GgufArchitecture { get; }

    /// <summary>Names of its tensors.</summary>
    GgufNames GgufNames { get; }

    /// <summary>The <c>config.json</c> that the metadata stands for.</summary>
    /// <exception cref="TensorFormatException">Values are missing, impossible, or ask for what is not supported.</exception>
    JsonObject CreateConfiguration(GgufModelMetadata metadata);

    /// <summary>Writes the metadata that stand for a model.</summary>
    /// <exception cref="NotSupportedException">GGUF readers would compute something else.</exception>
    void Export(GgufExport export);
}
