using System.Text.Json.Nodes;
using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>What an architecture's GGUF files mean in Hugging Face terms. Implemented by the <see cref="IArchitecture"/> that has such files.</summary>
public interface IGgufArchitecture
{
    /// <summary>The value of <c>general.architecture</c>.</summary>
    string GgufArchitecture { get; }

    /// <summary>The <c>config.json</c> that the metadata stands for.</summary>
    /// <exception cref="TensorFormatException">Values are missing or impossible.</exception>
    JsonObject CreateConfiguration(GgufFile file);

    /// <summary>The Hugging Face tensor for a GGUF tensor, or null for one that the model does not need.</summary>
    GgufTensorMapping? MapTensor(string ggufName);
}

/// <summary>Where a GGUF tensor belongs.</summary>
/// <param name="Name">Hugging Face name.</param>
/// <param name="RotaryHeadsKey">Metadata key with the number of heads whose rows are stored for neighbouring-pair rotary embedding; null where rows are in order.</param>
public sealed record GgufTensorMapping(string Name, string? RotaryHeadsKey = null);
