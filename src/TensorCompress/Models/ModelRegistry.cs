using TensorCompress.Storage;

namespace TensorCompress.Models;

/// <summary>The one list of architectures.</summary>
public static class ModelRegistry
{
    /// <summary>All architectures.</summary>
    public static IReadOnlyList<IArchitecture> All { get; } =
    [
        new Llama(),
        new Mistral(),
        new Qwen2(),
        new Qwen3(),
        new Gemma2(),
        new Gemma3(),
        new Phi3(),
        new SmolLm3(),
        new Olmo2(),
        new Granite(),
        new Gpt2(),
        new GptNeoX(),
    ];

    /// <summary>Describes a checkpoint by its configuration's <c>model_type</c>.</summary>
    /// <exception cref="TensorFormatException">The architecture is unknown (the message lists the known ones and the closest), or the configuration is bad.</exception>
    public static ModelDefinition Define(ModelConfiguration configuration, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        string type = configuration.ModelType;
        IArchitecture? architecture = All.FirstOrDefault(candidate => candidate.ModelType == type);
        if (architecture is null)
        {
            throw configuration.Fault(TensorFormatError.Unsupported, $"the architecture \"{type}\" is not supported; supported: {Supported(All.Select(candidate => candidate.ModelType), type)}");
        }

        return architecture.Define(configuration, tensors);
    }

    /// <summary>Lists names for a message, and the one that is closest to what was asked for.</summary>
    internal static string Supported(IEnumerable<string> names, string asked)
    {
        string[] all = [.. names];
        return $"{string.Join(", ", all)}; the closest is {all.MinBy(name => EditDistance(name, asked))}";
    }

    private static int EditDistance(string left, string right)
    {
        int[] row = [.. Enumerable.Range(0, right.Length + 1)];
        for (int i = 1; i <= left.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= right.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (left[i - 1] == right[j - 1] ? 0 : 1)));
        }

        return row[^1];
    }
}
