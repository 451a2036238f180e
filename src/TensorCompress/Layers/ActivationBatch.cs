using TensorCompress.Tensors;

namespace TensorCompress.Layers;

/// <summary>The input of one or more linear layers: one row per token. Forms that several layers share (such as integer codes) are made here once.</summary>
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
