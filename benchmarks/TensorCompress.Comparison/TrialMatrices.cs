using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Numerics;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>Matrices that factorisations are tried on: drawn ones, layers of a model, or the attention matrices of a file that is no whole model.</summary>
/// <param name="Name">What the tables call it.</param>
/// <param name="Draw">Makes it; the seed matters for drawn ones alone.</param>
internal sealed record TrialMatrices(string Name, Func<int, Matrix<float>> Draw)
{
    /// <summary>G (independent normal numbers) and S (a spectrum that falls as j^-1/2, with log-normal rows and columns); with a model the layers whose names hold one of the names.</summary>
    public static IReadOnlyList<TrialMatrices> From(Options options)
    {
        string[] names = (options.Layers ?? (options.Model is null ? "G,S" : "")).Split(',');
        if (options.Model is { } path) return path.EndsWith(".safetensors", StringComparison.Ordinal) ? Attention(path, names) : Layers(path, names);
        int size = options.Sizes?[0] ?? 256;
        return [.. names.Select(name => new TrialMatrices($"{name} {size}", seed => name == "G" ? Gaussian(size, seed) : Structured(size, seed)))];
    }

    private static TrialMatrices[] Layers(string path, string[] names)
    {
        using LanguageModel model = LanguageModel.Load(path);
        return [.. model.Definition.Blocks.SelectMany(block => block.Linears).Select(linear => linear.Name).Where(linear => names.Any(linear.Contains)).Select(linear => new TrialMatrices(linear, _ =>
        {
            using ModelCheckpoint checkpoint = ModelCheckpoint.Open(path);
            return LayerExplanation.ReadDense(checkpoint, linear);
        }))];
    }

    /// <summary>GPT-2's tensors are [input, output], queries, keys and values side by side: W is the transpose of each third.</summary>
    private static TrialMatrices[] Attention(string path, string[] names)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        return [.. file.Tensors.Values.Where(tensor => tensor.Shape.Count == 2 && tensor.Name.Contains(".attn.", StringComparison.Ordinal)).SelectMany(tensor =>
        {
            int rows = (int)tensor.Shape[0], columns = (int)tensor.Shape[1];
            string[] parts = columns == 3 * rows ? ["q", "k", "v"] : ["o"];
            return parts.Select((part, index) => new TrialMatrices($"{tensor.Name.Replace("transformer.", "", StringComparison.Ordinal)} {part}", _ => Part(path, tensor.Name, rows, columns, index * rows)));
        }).Where(matrix => names.Any(matrix.Name.Contains))];
    }

    private static Matrix<float> Part(string path, string name, int rows, int columns, int first)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        float[] row = new float[columns];
        var part = new Matrix<float>(rows, rows);
        for (int i = 0; i < rows; i++)
        {
            file.ReadSingles(name, (long)i * columns, row);
            for (int j = 0; j < rows; j++) part[j, i] = row[first + j];
        }

        return part;
    }

    private static Matrix<float> Gaussian(int size, int seed) => GaussianMatrix.Draw(size, size, (ulong)seed + 1000);

    private static Matrix<float> Structured(int size, int seed)
    {
        using Matrix<float> left = Gaussian(size, seed + 77), right = Gaussian(size, seed + 78);
        var random = new SeededRandom((ulong)seed + 5000);
        double[] rows = new double[size], columns = new double[size];
        for (int i = 0; i < size; i++) (rows[i], columns[i]) = (Math.Exp(0.4 * random.NextGaussian()), Math.Exp(0.6 * random.NextGaussian()));
        for (int i = 0; i < size; i++)
        {
            for (int j = 0; j < size; j++) left[i, j] *= (float)(rows[i] * Math.Pow(j + 1, -0.5));
        }

        var weights = new Matrix<float>(size, size);
        MatrixProduct.Multiply(left, right, weights.View);
        for (int i = 0; i < size; i++)
        {
            for (int j = 0; j < size; j++) weights[i, j] *= (float)columns[j];
        }

        return weights;
    }
}
