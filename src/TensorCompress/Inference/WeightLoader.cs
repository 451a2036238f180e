using System.Numerics.Tensors;
using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Compression.Dense;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Inference;

/// <summary>Makes the layers of a model from its checkpoint: compressed ones by the manifest, dense ones from their tensors.</summary>
internal static class WeightLoader
{
    public static ModelWeights Load(ModelCheckpoint checkpoint, RuntimeOptions options, ComputePool pool, CancellationToken cancellationToken)
    {
        ModelDefinition definition = checkpoint.Definition;
        CheckTensors(checkpoint);
        Dictionary<LinearDefinition, LinearLayer> byDefinition = LoadLinears(checkpoint, [.. definition.Linears], options, pool, cancellationToken);
        BiasedLinear Biased(LinearDefinition linear) => new(byDefinition[linear], linear.HasBias ? ReadBias(checkpoint, linear) : []);
        NormLayer? Norm(NormDefinition? norm) => norm is null ? null : CreateNorm(checkpoint, norm);
        LinearLayer embedding = byDefinition[definition.TokenEmbedding];
        return new ModelWeights(
            definition,
            embedding,
            definition.PositionEmbedding is null ? [] : ReadVector(checkpoint, definition.PositionEmbedding),
            [
                .. definition.Blocks.Select(block => new BlockWeights(
                    Norm(block.AttentionNorm),
                    [.. block.Attention.Projections.Select(Biased)],
                    Norm(block.Attention.QueryNorm),
                    Norm(block.Attention.KeyNorm),
                    Biased(block.Attention.Output),
                    Norm(block.AttentionPostNorm),
                    Norm(block.FeedForwardNorm),
                    block.FeedForward.Gate is null ? null : Biased(block.FeedForward.Gate),
                    Biased(block.FeedForward.Up),
                    Biased(block.FeedForward.Down),
                    Norm(block.FeedForwardPostNorm))),
            ],
            CreateNorm(checkpoint, definition.FinalNorm),
            definition.Head is null ? embedding : byDefinition[definition.Head],
            definition.HeadBias is null ? [] : ReadVector(checkpoint, definition.HeadBias));
    }

    private static Dictionary<LinearDefinition, LinearLayer> LoadLinears(
        ModelCheckpoint checkpoint, LinearDefinition[] linears, RuntimeOptions options, ComputePool pool, CancellationToken cancellationToken)
    {
        LinearDefinition[] dense = [.. linears.Where(linear => !IsCompressed(checkpoint, linear) && DenseLayerReader.Reads(checkpoint, linear))];
        LinearLayer[] layers = DenseLayerReader.Read(checkpoint, dense, pool, cancellationToken);
        LinearDefinition[] others = [.. linears.Except(dense)];
        var packed = new LinearLayer?[others.Length];
        try
        {
            // Layers are independent: read and unpack them side by side.
            pool.For(others.Length, 1, (start, end) =>
            {
                for (nint i = start; i < end; i++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    packed[i] = LoadLinear(checkpoint, others[i], options);
                }
            });
        }
        catch
        {
            foreach (LinearLayer? layer in layers.Concat(packed)) layer?.Dispose();
            throw;
        }

        return dense.Zip(layers).Concat(others.Zip(packed.Select(layer => layer!))).ToDictionary(pair => pair.First, pair => pair.Second);
    }

    /// <summary>Reads a layer's weight as the checkpoint holds it, compressed or dense.</summary>
    public static CompressedWeight ReadWeight(ModelCheckpoint checkpoint, LinearDefinition linear)
    {
        if (checkpoint.Manifest?.Layers.TryGetValue(linear.Name, out ManifestLayer? layer) != true) return ReadDense(checkpoint, linear);
        if (layer!.OutputDimension != linear.OutputDimension || layer.InputDimension != linear.InputDimension)
        {
            throw new TensorFormatException(
                TensorFormatError.Inconsistent, $"the manifest says {layer.OutputDimension} x {layer.InputDimension}, the model needs {linear.OutputDimension} x {linear.InputDimension}",
                checkpoint.Path, linear.Name);
        }

        var stored = new StoredWeight(linear.Name, linear.OutputDimension, linear.InputDimension, (JsonObject)layer.Parameters.DeepClone(), checkpoint.Tensors);
        return CompressionMethods.Read(layer.Method, layer.Version, stored);
    }

    /// <summary>The weight of a layer as floats, decompressed where it is compressed.</summary>
    /// <param name="checkpoint">Where it lies.</param>
    /// <param name="linear">A layer, or a member of a joint one.</param>
    /// <returns>[output, input].</returns>
    public static Matrix<float> ReadDecoded(ModelCheckpoint checkpoint, LinearDefinition linear)
    {
        (LinearDefinition stored, _, int firstRow) = JointLayers.Find(checkpoint.Definition, linear.Name) ?? (linear, linear, 0);
        using CompressedWeight weight = ReadWeight(checkpoint, stored);
        Matrix<float> whole = weight.ToDense();
        if (linear.OutputDimension == whole.Rows) return whole;
        using (whole)
        {
            var part = Matrix<float>.Uninitialized(linear.OutputDimension, whole.Columns);
            whole.RowRange(firstRow, linear.OutputDimension).CopyTo(part.View);
            return part;
        }
    }

    private static LinearLayer LoadLinear(ModelCheckpoint checkpoint, LinearDefinition linear, RuntimeOptions options)
    {
        // Plain floats become the layer itself; everything else is packed from its stored form.
        if (!IsCompressed(checkpoint, linear) && DenseType(checkpoint, linear) == ElementType.F32) return new DenseLayer(ReadFinite(checkpoint, linear));
        using CompressedWeight weight = ReadWeight(checkpoint, linear);
        return weight.CreateLayer(options);
    }

    private static bool IsCompressed(ModelCheckpoint checkpoint, LinearDefinition linear) => checkpoint.Manifest?.Layers.ContainsKey(linear.Name) == true;

    /// <summary>The type in which a dense layer is held: 16-bit floats stay as they are, other numbers are read as floats, and so are members of different types.</summary>
    public static ElementType DenseType(ModelCheckpoint checkpoint, LinearDefinition linear)
    {
        ElementType type = checkpoint.Tensors.Tensors[linear.Parts[0].WeightName].ElementType;
        return type is ElementType.F16 or ElementType.BF16 && linear.Parts.All(part => checkpoint.Tensors.Tensors[part.WeightName].ElementType == type) ? type : ElementType.F32;
    }

    private static DenseWeight ReadDense(ModelCheckpoint checkpoint, LinearDefinition linear)
    {
        using Matrix<float> values = ReadFinite(checkpoint, linear);
        return DenseWeight.FromDense(values.View, DenseType(checkpoint, linear));
    }

    /// <summary>Reads a layer's dense weight as floats.</summary>
    /// <exception cref="TensorFormatException">The tensor is missing, has another shape, or holds a value that is not finite.</exception>
    public static Matrix<float> ReadFinite(ModelCheckpoint checkpoint, LinearDefinition linear)
    {
        Matrix<float> values = DenseTensors.Read(checkpoint, linear);
        foreach ((LinearDefinition part, int firstRow) in linear.PartRows)
        {
            for (nint row = 0; row < part.OutputDimension; row++) ThrowIfNotFinite(values.Row(firstRow + row), checkpoint, part.WeightName, row * values.Columns);
        }

        return values;
    }

    private static void ThrowIfNotFinite(ReadOnlySpan<float> values, ModelCheckpoint checkpoint, string tensor, long firstElement)
    {
        // A sum of absolute values is finite if and only if every element is (or the sum overflows, which the slow look excludes).
        if (float.IsFinite(TensorPrimitives.SumOfMagnitudes(values))) return;
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i])) throw new TensorFormatException(TensorFormatError.Value, $"element {firstElement + i} is {values[i]}", checkpoint.Path, tensor);
        }
    }

    private static NormLayer CreateNorm(ModelCheckpoint checkpoint, NormDefinition norm)
    {
        float[] gain = ReadVector(checkpoint, norm.WeightName);
        if (norm.IsGainOffset) gain = [.. gain.Select(value => 1f + value)];
        return norm.Kind == NormKind.RootMeanSquare
            ? new RmsNorm(gain, norm.Epsilon)
            : new LayerNorm(gain, norm.HasBias ? ReadVector(checkpoint, norm.BiasName) : [], norm.Epsilon);
    }

    // Members without a bias add nothing.
    private static float[] ReadBias(ModelCheckpoint checkpoint, LinearDefinition linear) =>
        [.. linear.Parts.SelectMany(part => part.HasBias ? ReadVector(checkpoint, part.BiasName) : new float[part.OutputDimension])];

    private static float[] ReadVector(ModelCheckpoint checkpoint, string name)
    {
        var values = new float[checked((int)checkpoint.Tensors.Tensors[name].ElementCount)];
        checkpoint.Tensors.ReadSingles(name, 0, values);
        ThrowIfNotFinite(values, checkpoint, name, 0);
        return values;
    }

    // Every tensor that the definition names is there with the right shape, before anything large is allocated.
    private static void CheckTensors(ModelCheckpoint checkpoint)
    {
        foreach (LinearDefinition linear in checkpoint.Definition.Linears.Where(linear => !IsCompressed(checkpoint, linear)).SelectMany(linear => linear.Parts))
        {
            long rows = linear.IsStoredTransposed ? linear.InputDimension : linear.OutputDimension;
            long columns = linear.IsStoredTransposed ? linear.OutputDimension : linear.InputDimension;
            Check(linear.WeightName, shape => shape.Count == 2 && shape[0] == rows && shape[1] == columns, $"[{rows}, {columns}]");
        }

        foreach ((string name, long length) in checkpoint.Definition.Vectors)
            Check(name, shape => shape.Aggregate(1L, (product, dimension) => product * dimension) == length, $"{length} elements");

        void Check(string name, Predicate<IReadOnlyList<long>> fits, string required)
        {
            if (!checkpoint.Tensors.Tensors.TryGetValue(name, out TensorInfo? tensor))
                throw new TensorFormatException(TensorFormatError.Inconsistent, $"the model needs the tensor, {required}, and the file lacks it", checkpoint.Path, name);
            if (!fits(tensor.Shape))
                throw new TensorFormatException(TensorFormatError.Inconsistent, $"shape [{string.Join(", ", tensor.Shape)}]; the model needs {required}", checkpoint.Path, name);
            if (!tensor.ElementType.IsNumeric())
                throw new TensorFormatException(TensorFormatError.Unsupported, $"weights of type {tensor.ElementType.Name()}", checkpoint.Path, name);
        }
    }
}
