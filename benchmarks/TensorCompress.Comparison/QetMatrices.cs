using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>Matrices of one kind that quantisers are compared on.</summary>
/// <param name="Name">What tables call them.</param>
/// <param name="Matrices">Owned.</param>
/// <param name="IsNormal">Whether they are drawn, independent normal numbers.</param>
internal sealed record QetMatrices(string Name, IReadOnlyList<Matrix<float>> Matrices, bool IsNormal = false) : IDisposable
{
    private const int DefaultTokens = 1024;

    /// <summary>Normal numbers, then what <c>--model</c> lists: attention matrices of a safetensors file, or keys and values that a model makes of <c>--text</c>. One after the other, so that one is in memory.</summary>
    public static IEnumerable<QetMatrices> From(Options options)
    {
        yield return new QetMatrices("normal numbers, 4096 x 128", [GaussianMatrix.Draw(4096, 128, 1)], IsNormal: true);
        foreach (string path in (options.Model ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
            if (path.EndsWith(".safetensors", StringComparison.Ordinal))
            {
                yield return new QetMatrices($"attention weights, {name.Split(".f32")[0]}", [.. TrialMatrices.From(options with { Model = path, Layers = options.Layers ?? "" }).Select(matrix => matrix.Draw(0))]);
                continue;
            }

            using CapturedCache cache = CapturedCache.Of(path, options.Text ?? throw new ArgumentException("Keys and values of a model need --text."), options.Tokens ?? DefaultTokens);
            yield return new QetMatrices($"keys, {name}", [.. Enumerable.Range(0, cache.Blocks).Select(block => Copy(cache.Keys(block)))]);
            yield return new QetMatrices($"values, {name}", [.. Enumerable.Range(0, cache.Blocks).Select(block => Copy(cache.Values(block)))]);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Matrix<float> matrix in Matrices) matrix.Dispose();
    }

    private static Matrix<float> Copy(MatrixView<float> values)
    {
        var copy = new Matrix<float>(values.Rows, values.Columns);
        values.CopyTo(copy.View);
        return copy;
    }
}
