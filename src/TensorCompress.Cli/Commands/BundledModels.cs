namespace TensorCompress.Cli.Commands;

/// <summary>Models and texts that lie beside the tool, so that it can show itself without a download.</summary>
internal static class BundledModels
{
    /// <summary>Name of the model of the demonstration.</summary>
    public const string Stories = "stories260K";

    private static readonly string[] Names = [Stories];

    /// <summary>The path of a MODEL argument: what exists under that path, else a model that ships inside.</summary>
    public static string Resolve(string model) =>
        Names.Contains(model) && !Path.Exists(model) ? PathOf(model) : model;

    /// <summary>Path of a model that ships inside.</summary>
    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "Models", name, name + ".bin");

    /// <summary>The stories that the demonstration measures on, separated by <see cref="StorySeparator"/>.</summary>
    public static string ReadStories() => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Resources", "stories.txt"));

    /// <summary>Text between stories.</summary>
    public const string StorySeparator = "<|endoftext|>";
}
