using System.Runtime.InteropServices;
using System.Text;
using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Storage;
using TensorCompress.Threading;

namespace TensorCompress.Fuzz;

/// <summary>Whole models of a few kilobytes, and a short run of them.</summary>
public static class TinyModels
{
    // Far above what a model of a few kilobytes needs, far below what a believed number would take.
    private const long MaxResidentBytes = 32 << 20;

    private static readonly LanguageModelOptions Alone = new() { Pool = new ComputePool(1) };

    /// <summary>A safetensors file with every tensor that a configuration asks for.</summary>
    public static byte[] Weights(byte[] configuration)
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.FromTensors(Encoding.UTF8.GetString(configuration), new NoTensors());
        ModelDefinition definition = checkpoint.Definition;
        var random = new Random(1);
        var entries = new List<string>();
        var values = new List<float>();
        foreach (LinearDefinition linear in definition.Linears)
            Add(linear.WeightName, linear.IsStoredTransposed ? [linear.InputDimension, linear.OutputDimension] : [linear.OutputDimension, linear.InputDimension]);
        foreach ((string name, long length) in definition.Vectors) Add(name, [length]);
        byte[] header = Encoding.UTF8.GetBytes("{" + string.Join(",", entries) + "}");
        return [.. BitConverter.GetBytes((long)header.Length), .. header, .. MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(values))];

        void Add(string name, long[] shape)
        {
            long first = values.Count * sizeof(float), count = shape.Aggregate((product, dimension) => product * dimension);
            for (long i = 0; i < count; i++) values.Add(random.NextSingle() - 0.5f);
            entries.Add($"\"{name}\":{{\"dtype\":\"F32\",\"shape\":[{string.Join(",", shape)}],\"data_offsets\":[{first},{first + (count * sizeof(float))}]}}");
        }
    }

    /// <summary>A compressed model: configuration with its manifest, and weights.</summary>
    /// <param name="configuration">Configuration of the dense one.</param>
    /// <param name="recipe">How its layers are compressed.</param>
    /// <param name="scratch">A folder.</param>
    public static (byte[] Configuration, byte[] Weights) Compress(byte[] configuration, string recipe, string scratch)
    {
        string dense = Path.Combine(scratch, "dense"), compressed = Path.Combine(scratch, "compressed");
        Directory.CreateDirectory(dense);
        File.WriteAllBytes(Path.Combine(dense, "config.json"), configuration);
        File.WriteAllBytes(Path.Combine(dense, "model.safetensors"), Weights(configuration));
        var options = new CompressionJobOptions { Recipe = CompressionRecipe.Parse(Encoding.UTF8.GetBytes(recipe)) };
        ModelCompressor.CompressAsync(dense, compressed, options).GetAwaiter().GetResult();
        return (File.ReadAllBytes(Path.Combine(compressed, "config.json")), File.ReadAllBytes(Path.Combine(compressed, "model.safetensors")));
    }

    /// <summary>Loads the model and takes two tokens in.</summary>
    /// <exception cref="TensorFormatException">It cannot be loaded.</exception>
    /// <exception cref="InvalidOperationException">It takes far more memory than its file says.</exception>
    public static void Run(ModelCheckpoint checkpoint)
    {
        using LanguageModel model = LanguageModel.Load(checkpoint, Alone);
        using Session session = model.CreateSession();
        session.Append([0]);
        if (session.Capacity > 1) session.Append([Math.Min(1, model.Definition.VocabularySize - 1)]);
        long resident = model.ResidentBytes + session.ResidentBytes;
        if (resident > MaxResidentBytes) throw new InvalidOperationException($"{resident} bytes of native memory");
    }

    /// <summary>A checkpoint of which only the configuration is looked at.</summary>
    private sealed class NoTensors : ITensorSource
    {
        public IReadOnlyDictionary<string, TensorInfo> Tensors { get; } = new Dictionary<string, TensorInfo>();

        public void ReadBytes(string name, long offset, Span<byte> destination) => throw new KeyNotFoundException(name);

        public void ReadSingles(string name, long firstElement, Span<float> destination) => throw new KeyNotFoundException(name);

        public void Dispose()
        {
        }
    }
}
