using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TensorCompress.Fuzz;

/// <summary>Changes of JSON by its structure: values become others, properties go, come twice, or get another name.</summary>
public static class JsonMutation
{
    private static readonly string[] Values =
    [
        "0", "1", "-1", "2", "3", "64", "4096", "65536", "16777216", "2147483647", "2147483648", "-2147483649", "4294967296", "2305843009213693952", "9223372036854775807", "9223372036854775808", "18446744073709551615",
        "1.5", "1e3", "1e400", "-0", "1e-400", "true", "false", "null", "\"\"", "\"a\"", "\"0\"", "\"F32\"", "\"../x\"", "\"\\u0000\"", "\"é😀\"", "[]", "{}", "[0]", "[[]]", "{\"a\":1}",
        "[1,2,3,4,5,6,7,8,9]", "\"x y\"", "99999999999999999999999999",
    ];

    /// <summary>One to three changes; now and then of the bytes too.</summary>
    public static byte[] Apply(Mutator mutator, byte[] seed)
    {
        JsonNode root = JsonNode.Parse(seed)!;
        JsonNode? doubled = null;
        for (int count = 1 + mutator.Next(3); count > 0; count--)
        {
            var nodes = new List<JsonNode>();
            Collect(root, nodes, mutator);
            if (nodes.Count == 0) break;
            JsonNode parent = mutator.Pick(nodes);
            if (mutator.Chance(12)) doubled = parent;
            else if (parent is JsonObject owner && owner.Count > 0) Change(mutator, owner);
            else if (parent is JsonArray list) Change(mutator, list);
        }

        byte[] text = Write(root, doubled);
        if (mutator.Chance(3)) text = Encoding.UTF8.GetBytes(new string('[', 70) + new string(']', 70));
        if (mutator.Chance(3)) text = Encoding.UTF8.GetBytes("{\"a\":" + new string('[', 80) + new string(']', 80) + "}");
        return mutator.Chance(12) ? mutator.Bytes(text) : text;
    }

    private static void Change(Mutator mutator, JsonObject owner)
    {
        string key = mutator.Pick([.. owner.Select(property => property.Key)]);
        switch (mutator.Next(4))
        {
            case 0:
                owner.Remove(key);
                break;
            case 1:
                JsonNode? value = owner[key];
                owner.Remove(key);
                owner[mutator.Pick(["", "a", key + "x", "id", "weight", "x.y", "\u0001", new string('n', 70_000)])] = value;
                break;
            default:
                owner[key] = Raw(mutator, owner[key]);
                break;
        }
    }

    private static void Change(Mutator mutator, JsonArray list)
    {
        int place = list.Count == 0 ? 0 : mutator.Next(list.Count);
        switch (mutator.Next(4))
        {
            case 0 when list.Count > 0:
                list.RemoveAt(place);
                break;
            case 1 when list.Count > 0:
                list.Insert(place, list[place]?.DeepClone());
                break;
            case 2 when list.Count > 0:
                list[place] = Raw(mutator, list[place]);
                break;
            default:
                list.Insert(place, Raw(mutator, null));
                break;
        }
    }

    // A number near the old one, or anything else.
    private static JsonNode? Raw(Mutator mutator, JsonNode? old)
    {
        if (old is JsonValue && old.GetValueKind() == JsonValueKind.Number && mutator.Chance(40) && old.AsValue().TryGetValue(out long number))
            return JsonValue.Create(unchecked(mutator.Chance(50) ? number + mutator.Next(7) - 3 : number * mutator.Next(5)));
        return JsonNode.Parse(mutator.Pick(Values));
    }

    // Of large files only some of the places, so that an input does not take longer to make than to parse.
    private static void Collect(JsonNode? node, List<JsonNode> nodes, Mutator mutator)
    {
        if (nodes.Count > 2000) return;
        if (node is JsonObject owner)
        {
            nodes.Add(owner);
            foreach ((_, JsonNode? value) in owner) Collect(value, nodes, mutator);
        }
        else if (node is JsonArray list)
        {
            nodes.Add(list);
            foreach (JsonNode? value in list) Collect(value, nodes, mutator);
        }
    }

    // By hand, because a node cannot have a property twice.
    private static byte[] Write(JsonNode root, JsonNode? doubled)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { SkipValidation = true })) Write(writer, root, doubled);
        return buffer.WrittenSpan.ToArray();
    }

    private static void Write(Utf8JsonWriter writer, JsonNode? node, JsonNode? doubled)
    {
        switch (node)
        {
            case JsonObject owner:
                writer.WriteStartObject();
                foreach ((string key, JsonNode? value) in owner)
                {
                    for (int times = ReferenceEquals(node, doubled) ? 2 : 1; times > 0; times--)
                    {
                        writer.WritePropertyName(key);
                        Write(writer, value, doubled);
                    }
                }

                writer.WriteEndObject();
                break;
            case JsonArray list:
                writer.WriteStartArray();
                foreach (JsonNode? value in list) Write(writer, value, doubled);
                writer.WriteEndArray();
                break;
            case null:
                writer.WriteNullValue();
                break;
            default:
                writer.WriteRawValue(node.ToJsonString(), skipInputValidation: true);
                break;
        }
    }
}
