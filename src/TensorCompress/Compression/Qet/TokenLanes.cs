using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>Up to sixteen vectors side by side, [number, vector]: as products of sixteen vectors read and write them.</summary>
internal static class TokenLanes
{
    private const int Tokens = TableProducts.Tokens;

    /// <summary>Vectors up to which each goes alone: sixteen together cost as much as a few.</summary>
    public const int MostAlone = 3;

    /// <summary>How many vectors have their turn together.</summary>
    /// <param name="left">Those that have had none.</param>
    public static nint Together(nint left) => left > MostAlone ? nint.Min(Tokens, left) : 1;

    /// <summary>Puts vectors side by side; those that are missing are zero.</summary>
    /// <param name="vectors">[vectors, numbers], sixteen vectors at most.</param>
    /// <param name="lanes">[numbers, 16].</param>
    public static void Load(MatrixView<float> vectors, MatrixView<float> lanes)
    {
        Span<float> numbers = Rows(lanes, 0, lanes.Rows);
        numbers.Clear();
        for (int token = 0; token < vectors.Rows; token++)
        {
            ReadOnlySpan<float> values = vectors.Row(token);
            for (int k = 0; k < values.Length; k++) numbers[k * Tokens + token] = values[k];
        }
    }

    /// <summary>Undoes <see cref="Load"/>.</summary>
    /// <param name="lanes">[numbers, 16].</param>
    /// <param name="vectors">[vectors, numbers], sixteen vectors at most.</param>
    public static void Store(MatrixView<float> lanes, MatrixView<float> vectors)
    {
        ReadOnlySpan<float> numbers = Rows(lanes, 0, lanes.Rows);
        for (int token = 0; token < vectors.Rows; token++)
        {
            Span<float> values = vectors.Row(token);
            for (int k = 0; k < values.Length; k++) values[k] = numbers[k * Tokens + token];
        }
    }

    /// <summary>Neighbouring rows of a matrix without gaps.</summary>
    public static Span<float> Rows(MatrixView<float> matrix, nint start, nint count) => matrix.RowRange(start, count).Contiguous(1, count * matrix.Columns).Row(0);
}
