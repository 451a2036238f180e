using TensorCompress.Tensors;

namespace TensorCompress.Layers;

/// <summary>The input of one or more linear layers: one row per token. Layers that take the same batch share the forms that a <see cref="ComputeContext"/> makes of it, such as integer codes.</summary>
/// <param name="values">Activations, [tokens, dimension]; must stay unchanged while the batch is in use.</param>
public sealed class ActivationBatch(MatrixView<float> values)
{
    /// <summary>The activations, [tokens, dimension].</summary>
    public MatrixView<float> Values { get; } = values;

    /// <summary>Number of tokens.</summary>
    public int TokenCount => checked((int)Values.Rows);

    /// <summary>Width of one token's activations.</summary>
    public int Dimension => checked((int)Values.Columns);
}
