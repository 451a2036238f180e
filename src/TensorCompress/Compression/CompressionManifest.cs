using System.Text.Json;
using System.Text.Json.Nodes;
using TensorCompress.Storage;

namespace TensorCompress.Compression;

/// <summary>One compressed layer as the manifest describes it.</summary>
/// <param name="Method">Name of the method.</param>
/// <param name="Version">Version of the method's stored form.</param>
/// <param name="OutputDimension">Rows of W.</param>
/// <param name="InputDimension">Columns of W.</param>
/// <param name="Options">Options that made it, for people and provenance.</param>
/// <param name="Parameters">What is needed to read the parts.</param>
public sealed record ManifestLayer(string Method, int Version, int OutputDimension, int InputDimension, JsonObject Options, JsonObject Parameters)
{
    /// <summary>The layers of the model whose rows these are, in order and without gaps; empty where the layer is one of the model's.</summary>
    public IReadOnlyList<ManifestMember> Members { get; init; } = [];
}

/// <summary>A layer of the model that is stored with others as one matrix.</summary>
/// <param name="Name">Its name.</param>
/// <param name="FirstRow">The first of its rows.</param>
/// <param name="RowCount">Its rows.</param>
public sealed record ManifestMember(string Name, int FirstRow, int RowCount);

/// <summary>
/// The <c>quantization_config</c> of a compressed checkpoint's <c>config.json</c>: which layers are compressed and how, a hash for every tensor, where it came from,
/// and logits to check it by. docs/format.md defines every field.
/// </summary>
public sealed record CompressionManifest
{
    /// <summary>The value of <c>quant_method</c>; other loaders refuse it instead of guessing.</summary>
    public const string QuantMethod = "tensorcompress";

    /// <summary>The key of the manifest in <c>config.json</c>.</summary>
    public const string ConfigurationKey = "quantization_config";

    private const string RowsKey = "rows";

    /// <summary>The format version that this library writes, and the highest that it reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Compressed layers by name.</summary>
    public required IReadOnlyDictionary<string, ManifestLayer> Layers { get; init; }

    /// <summary>SHA-256 of every tensor (<see cref="TensorHash"/>), lower-case hexadecimal, by tensor name.</summary>
    public required IReadOnlyDictionary<string, string> Hashes { get; init; }

    /// <summary>Source, recipe, seed and tool version, as text for people and programs.</summary>
    public required JsonObject Provenance { get; init; }

    /// <summary>Token ids of a short test input with the logits that the model gave when it was made, or null.</summary>
    public ManifestVerification? Verification { get; init; }

    /// <summary>Reads the manifest of a configuration; null where there is none.</summary>
    /// <param name="configuration">The root of <c>config.json</c>.</param>
    /// <param name="file">Its path, for messages.</param>
    /// <exception cref="TensorFormatException">It is of another method, a later version, or damaged.</exception>
    public static CompressionManifest? Read(JsonElement configuration, string? file = null)
    {
        if (!configuration.TryGetProperty(ConfigurationKey, out JsonElement manifest) || manifest.ValueKind == JsonValueKind.Null) return null;
        try
        {
            string method = Required(manifest, "quant_method").GetString() ?? "";
            if (method != QuantMethod)
                throw new TensorFormatException(TensorFormatError.Unsupported, $"the weights are quantised by \"{method}\"; supported: {QuantMethod}, or dense weights", file);
            int version = Required(manifest, "format_version").GetInt32();
            if (version is < 1 or > CurrentVersion)
                throw new TensorFormatException(TensorFormatError.Version, $"format version {version}; this library reads 1 to {CurrentVersion}", file);
            return new CompressionManifest
            {
                Layers = Required(manifest, "layers").EnumerateObject().ToDictionary(layer => layer.Name, layer => ReadLayer(layer.Value)),
                Hashes = Required(manifest, "hashes").EnumerateObject().ToDictionary(entry => entry.Name, entry => ReadHash(entry.Value)),
                Provenance = ReadObject(Required(manifest, "provenance")),
                Verification = manifest.TryGetProperty("verification", out JsonElement verification) ? ManifestVerification.Read(verification) : null,
            };
        }
        catch (Exception fault) when (fault is InvalidOperationException or FormatException or JsonException or ArgumentException)
        {
            throw new TensorFormatException(TensorFormatError.Structure, $"\"{ConfigurationKey}\" is damaged: {fault.Message}", file, innerException: fault);
        }
    }

    /// <summary>The manifest as it stands in <c>config.json</c>.</summary>
    public JsonObject ToJson()
    {
        var layers = new JsonObject();
        foreach ((string name, ManifestLayer layer) in Layers)
        {
            var entry = new JsonObject
            {
                ["method"] = layer.Method,
                ["version"] = layer.Version,
                ["shape"] = new JsonArray(layer.OutputDimension, layer.InputDimension),
                ["options"] = layer.Options.DeepClone(),
                ["parameters"] = layer.Parameters.DeepClone(),
            };
            if (layer.Members.Count > 0) entry.Add(RowsKey, new JsonObject(layer.Members.Select(member => KeyValuePair.Create(member.Name, (JsonNode?)new JsonArray(member.FirstRow, member.RowCount)))));
            layers.Add(name, entry);
        }

        var hashes = new JsonObject();
        foreach ((string name, string hash) in Hashes) hashes.Add(name, hash);
        var manifest = new JsonObject
        {
            ["quant_method"] = QuantMethod,
            ["format_version"] = CurrentVersion,
            ["layers"] = layers,
            ["hashes"] = hashes,
            ["provenance"] = Provenance.DeepClone(),
        };
        if (Verification is not null) manifest.Add("verification", Verification.ToJson());
        return manifest;
    }

    private static ManifestLayer ReadLayer(JsonElement layer)
    {
        JsonElement shape = Required(layer, "shape");
        if (shape.GetArrayLength() != 2) throw new FormatException("a layer's shape has two dimensions");
        int output = shape[0].GetInt32(), input = shape[1].GetInt32();
        if (output < 1 || input < 1) throw new FormatException($"a layer of shape {output} x {input}");
        return new ManifestLayer(
            Required(layer, "method").GetString() ?? "", Required(layer, "version").GetInt32(), output, input,
            ReadObject(Required(layer, "options")), ReadObject(Required(layer, "parameters")))
        {
            Members = layer.TryGetProperty(RowsKey, out JsonElement rows) ? ReadMembers(rows, output) : [],
        };
    }

    private static ManifestMember[] ReadMembers(JsonElement rows, int output)
    {
        ManifestMember[] members =
        [
            .. rows.EnumerateObject().Select(entry => entry.Value.GetArrayLength() == 2
                ? new ManifestMember(entry.Name, entry.Value[0].GetInt32(), entry.Value[1].GetInt32())
                : throw new FormatException($"the rows of {entry.Name} are two numbers")).OrderBy(member => member.FirstRow),
        ];
        long next = 0;
        foreach (ManifestMember member in members)
        {
            if (member.FirstRow != next || member.RowCount < 1)
                throw new TensorFormatException(TensorFormatError.Inconsistent, $"{member.RowCount} rows from {member.FirstRow} where row {next} is the next", tensor: member.Name);
            next += member.RowCount;
        }

        return members.Length > 1 && next == output
            ? members
            : throw new TensorFormatException(TensorFormatError.Inconsistent, $"{members.Length} layers share {next} rows of {output}");
    }

    private static string ReadHash(JsonElement value)
    {
        string hash = value.GetString() ?? "";
        return hash.Length == 64 && hash.All(char.IsAsciiHexDigitLower) ? hash : throw new FormatException("a hash that is not 64 lower-case hexadecimal digits");
    }

    private static JsonObject ReadObject(JsonElement value) => JsonObject.Create(value) ?? throw new FormatException("an object is required");

    private static JsonElement Required(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement value) ? value : throw new FormatException($"\"{name}\" is missing");
}

/// <summary>A short test input and what the model answered when it was made: the largest logits and the log-sum-exp after the last token.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="TopIds">Ids of the largest logits, largest first.</param>
/// <param name="TopLogits">Their logits.</param>
/// <param name="LogSumExp">log of the sum of e^logit over the vocabulary.</param>
public sealed record ManifestVerification(IReadOnlyList<int> Ids, IReadOnlyList<int> TopIds, IReadOnlyList<float> TopLogits, double LogSumExp)
{
    internal static ManifestVerification Read(JsonElement value)
    {
        JsonElement Get(string name) => value.TryGetProperty(name, out JsonElement found) ? found : throw new FormatException($"\"verification.{name}\" is missing");
        return new ManifestVerification(
            [.. Get("ids").EnumerateArray().Select(id => id.GetInt32())],
            [.. Get("top_ids").EnumerateArray().Select(id => id.GetInt32())],
            [.. Get("top_logits").EnumerateArray().Select(logit => logit.GetSingle())],
            Get("log_sum_exp").GetDouble());
    }

    internal JsonObject ToJson() => new()
    {
        ["ids"] = new JsonArray([.. Ids.Select(id => (JsonNode)id)]),
        ["top_ids"] = new JsonArray([.. TopIds.Select(id => (JsonNode)id)]),
        ["top_logits"] = new JsonArray([.. TopLogits.Select(logit => (JsonNode)logit)]),
        ["log_sum_exp"] = LogSumExp,
    };
}
