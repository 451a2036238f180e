using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

internal static class RotaryTurns
{
    /// <summary>Turns consecutive positions in place, with a table made for them.</summary>
    public static void Turn(this RotaryEmbedding rotary, MatrixView<float> values, int firstPosition)
    {
        using var table = new Matrix<float>(values.Rows, rotary.TableWidth);
        rotary.FillTable(firstPosition, table.View);
        rotary.Apply(values, table.View);
    }
}
