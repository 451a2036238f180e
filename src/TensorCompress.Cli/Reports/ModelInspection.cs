using TensorCompress.Compression;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Storage;
using TensorCompress.Tokenization;

namespace TensorCompress.Cli.Reports;

/// <summary>Puts together what <c>inspect</c> tells about a model.</summary>
internal static class ModelInspection
{
    private const string DenseMethod = "dense";

    public static InspectionJson Of(ModelCheckpoint checkpoint, Tokenizer? tokenizer, string? tokenizerFault, CpuJson? cpu)
    {
        ModelDefinition definition = checkpoint.Definition;
        ModelSize size = ModelSize.Of(checkpoint);
        return new InspectionJson
        {
            Model = checkpoint.Path,
            Format = checkpoint.Format,
            Architecture = definition.ModelType,
            Parameters = size.ParameterCount,
            ContextLength = definition.ContextLength,
            VocabularySize = definition.VocabularySize,
            HiddenSize = definition.HiddenSize,
            Blocks = definition.Blocks.Count,
            StoredBytes = size.StoredBytes,
            BitsPerWeight = size.BitsPerWeight,
            LinearBitsPerWeight = size.LinearBitsPerWeight,
            Tokenizer = tokenizer?.Kind,
            TensorTypes =
            [
                .. checkpoint.Tensors.Tensors.Keys.GroupBy(checkpoint.StoredTensorType)
                    .Select(type => new TensorTypeJson(type.Key, type.Count(), type.Sum(checkpoint.StoredTensorBytes)))
                    .OrderByDescending(type => type.StoredBytes),
            ],
            ChatTemplates = checkpoint.LoadChatTemplate()?.Sources.ToDictionary(entry => entry.Key, entry => new ChatTemplateJson(ChatTemplateFamily.Of(entry.Value), entry.Value.Length)),
            Layers = [.. definition.Linears.Select(linear => Summarize(checkpoint, linear))],
            Tensors = [.. checkpoint.Tensors.Tensors.Values.Select(tensor => new TensorJson(tensor.Name, checkpoint.StoredTensorType(tensor.Name), tensor.Shape))],
            Warnings = [.. checkpoint.Warnings, .. UnusualThings(checkpoint, tokenizer), .. tokenizerFault is null ? [] : new[] { $"the tokenizer cannot be used: {tokenizerFault}" }],
            Cpu = cpu,
        };
    }

    private static LayerSummaryJson Summarize(ModelCheckpoint checkpoint, LinearDefinition linear)
    {
        ManifestLayer? layer = checkpoint.Manifest?.Layers.GetValueOrDefault(linear.Name);
        string method = layer?.Method ?? DenseMethod;
        long bytes = layer is null
            ? (checkpoint.Tensors.Tensors.ContainsKey(linear.WeightName) ? checkpoint.StoredTensorBytes(linear.WeightName) : 0)
            : Parts(checkpoint, linear.Name, layer).Sum(tensor => tensor.ByteLength);
        return new LayerSummaryJson(linear.Name, method, linear.OutputDimension, linear.InputDimension, bytes, bytes * 8.0 / ((double)linear.OutputDimension * linear.InputDimension));
    }

    private static IEnumerable<TensorInfo> Parts(ModelCheckpoint checkpoint, string layerName, ManifestLayer layer)
    {
        string prefix = $"{layerName}.{layer.Method}.";
        return checkpoint.Tensors.Tensors.Values.Where(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal));
    }

    private static IEnumerable<string> UnusualThings(ModelCheckpoint checkpoint, Tokenizer? tokenizer)
    {
        ModelDefinition definition = checkpoint.Definition;
        if (definition.Head is null) yield return "the head is the token embedding (tied)";
        if (tokenizer is not null && tokenizer.VocabularySize != definition.VocabularySize)
            yield return $"the tokenizer has {tokenizer.VocabularySize} tokens, the model {definition.VocabularySize}";

        HashSet<string> used = [.. definition.Linears.Select(linear => linear.WeightName), .. definition.Vectors.Select(vector => vector.Name)];
        foreach ((string name, ManifestLayer layer) in checkpoint.Manifest?.Layers ?? new Dictionary<string, ManifestLayer>())
            used.UnionWith(Parts(checkpoint, name, layer).Select(tensor => tensor.Name));
        string[] unused = [.. checkpoint.Tensors.Tensors.Keys.Where(name => !used.Contains(name) && !checkpoint.IsRedundant(name))];
        if (unused.Length > 0) yield return $"{unused.Length} tensors that the model does not use, first {unused[0]}";
    }
}
