using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>An architecture: what its configuration and tensor names mean. One file each; <see cref="ModelRegistry"/> is the one list.</summary>
public interface IArchitecture
{
    /// <summary>The <c>model_type</c> of its checkpoints.</summary>
    string ModelType { get; }

    /// <summary>Describes a checkpoint.</summary>
    /// <param name="configuration">Its configuration.</param>
    /// <param name="tensors">Its tensors: optional parts (biases, an untied head) are told by their presence. A compressed layer has no <c>.weight</c>.</param>
    /// <exception cref="TensorFormatException">Values are missing, out of range, contradictory, or ask for what is not supported.</exception>
    ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors);
}
