using TensorCompress.Storage;

namespace TensorCompress.Tokenization.Json;

/// <summary>The properties of one JSON object. A missing one and one that is null are the same.</summary>
internal readonly struct JsonProperties(JsonSource source, IReadOnlyDictionary<string, JsonSource> properties)
{
    public JsonSource Source { get; } = source;

    public IReadOnlyDictionary<string, JsonSource> All => properties;

    public JsonSource? Find(string name) => properties.TryGetValue(name, out JsonSource value) && !value.IsNull ? value : null;

    public JsonSource Require(string name) => Find(name) ?? throw Source.Fault(TensorFormatError.Structure, $"The property '{name}' is missing.");

    public bool Flag(string name, bool missing = false) => Find(name)?.Boolean() ?? missing;

    /// <summary>The component's <c>type</c>.</summary>
    public string Type() => Require("type").String();

    /// <summary>Refuses a component, by name.</summary>
    public TensorFormatException Unsupported(string what, IEnumerable<string> supported) =>
        Source.Fault(TensorFormatError.Unsupported, $"{what} is not supported; supported are {string.Join(", ", supported)}.");
}
