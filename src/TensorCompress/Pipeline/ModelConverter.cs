using System.Diagnostics;
using System.Runtime.InteropServices;
using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Kernels;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Pipeline;

/// <summary>What a conversion made.</summary>
/// <param name="Size">Sizes of the result.</param>
/// <param name="ElementType">Type of the matrices.</param>
/// <param name="Elapsed">Time taken.</param>
/// <param name="Warnings">What a user should know.</param>
public sealed record ConversionReport(ModelSize Size, ElementType ElementType, TimeSpan Elapsed, IReadOnlyList<string> Warnings);

/// <summary>Writes any checkpoint that can be read as a dense Hugging Face folder.</summary>
public static class ModelConverter
{
    /// <summary>Converts; the output appears whole or not at all.</summary>
    /// <param name="model">GGUF file, llama2.c file, or checkpoint folder (compressed or not).</param>
    /// <param name="output">Folder to make; must not exist or be empty.</param>
    /// <param name="type">Type of the matrices: F32, F16 or BF16; null for BF16 where it holds every value of the source, else F32. Norms and biases are written as F32.</param>
    /// <param name="progress">Told after each tensor; may be null.</param>
    /// <param name="cancellationToken">Looked at between tensors.</param>
    /// <exception cref="ArgumentException">The type is another one, or a weight does not fit into it.</exception>
    /// <exception cref="TensorFormatException">The source is damaged or not supported.</exception>
    /// <exception cref="OutputExistsException">The output exists.</exception>
    public static ConversionReport Convert(
        string model, string output, ElementType? type = null, IProgress<JobProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        if (type is not (null or ElementType.F32 or ElementType.F16 or ElementType.BF16)) throw new ArgumentException($"Matrices are written as F32, F16 or BF16, not {type.Value.Name()}.", nameof(type));
        var clock = Stopwatch.StartNew();
        using ModelCheckpoint stored = ModelCheckpoint.Open(model);
        NeuronOrders orders = NeuronOrders.Read(stored).Inverse();
        using ModelCheckpoint source = orders.Apply(stored);
        ModelDefinition definition = source.Definition;
        ElementType written = type ?? (definition.Linears.All(linear => FitsBfloat16(source, linear)) ? ElementType.BF16 : ElementType.F32);
        using CheckpointWriter writer = CheckpointWriter.Create(output);
        LinearDefinition[] linears = [.. definition.Linears];
        for (int i = 0; i < linears.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            WriteMatrix(source, linears[i], orders, written, writer.Tensors);
            progress?.Report(new JobProgress(i + 1, linears.Length, linears[i].Name, (i + 1.0) / linears.Length, clock.Elapsed));
        }

        foreach ((string name, long length) in definition.Vectors)
        {
            var values = new float[length];
            source.Tensors.ReadSingles(name, 0, values);
            writer.Tensors.Add(source.Tensors.Tensors[name] with { ElementType = ElementType.F32 }, MemoryMarshal.AsBytes<float>(values));
        }

        writer.CompleteTensors();
        writer.WriteCompanionFiles(source);
        writer.WriteConfiguration(source, null, written switch { ElementType.F16 => "float16", ElementType.BF16 => "bfloat16", _ => "float32" });
        ModelSize size;
        using (ModelCheckpoint result = ModelCheckpoint.Open(writer.Staging)) size = ModelSize.Of(result);
        writer.Publish();
        return new ConversionReport(size, written, clock.Elapsed, source.Warnings);
    }

    // Most matrices that do not fit show it in their first row.
    private static bool FitsBfloat16(ModelCheckpoint source, LinearDefinition linear)
    {
        if (source.Manifest?.Layers.ContainsKey(linear.Name) != true && source.StoredTensorType(linear.WeightName) == ElementType.BF16.Name()) return true;
        using CompressedWeight weight = WeightLoader.ReadWeight(source, linear);
        using Matrix<float> decoded = weight.ToDense();
        for (nint row = 0; row < decoded.Rows; row++)
        {
            foreach (float value in decoded.Row(row))
            {
                if (Bfloat16.ToSingle(Bfloat16.FromSingle(value)) != value) return false;
            }
        }

        return true;
    }

    private static void WriteMatrix(ModelCheckpoint source, LinearDefinition linear, NeuronOrders orders, ElementType type, ITensorSink sink)
    {
        using CompressedWeight weight = WeightLoader.ReadWeight(source, linear);
        bool isCompressed = source.Manifest?.Layers.ContainsKey(linear.Name) == true; // else the source has it in its old order already
        using Matrix<float> decoded = isCompressed ? orders.Apply(linear, weight.ToDense()) : weight.ToDense();
        foreach ((LinearDefinition part, int firstRow) in linear.PartRows) WriteRows(decoded.RowRange(firstRow, part.OutputDimension), part, type, sink);
    }

    private static void WriteRows(MatrixView<float> rows, LinearDefinition linear, ElementType type, ITensorSink sink)
    {
        using Matrix<float>? transposed = linear.IsStoredTransposed ? DenseTensors.Transpose(rows) : null;
        MatrixView<float> stored = transposed?.View ?? rows;
        sink.Add(new TensorInfo(linear.WeightName, type, [stored.Rows, stored.Columns]), stream =>
        {
            var bytes = new byte[checked((int)stored.Columns * type.BitWidth() / 8)];
            for (nint row = 0; row < stored.Rows; row++)
            {
                ElementConversion.FromSingle(stored.Row(row), type, bytes);
                if (type == ElementType.F16) ThrowIfOverflowed(stored.Row(row), linear);
                stream.Write(bytes);
            }
        });
    }

    private static void ThrowIfOverflowed(ReadOnlySpan<float> row, LinearDefinition linear)
    {
        foreach (float value in row)
        {
            if (float.IsFinite(value) && !Half.IsFinite((Half)value))
                throw new ArgumentException($"{linear.Name} has the weight {value}, beyond the largest F16 (65504): convert to bf16 or f32.");
        }
    }
}
