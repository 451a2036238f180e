using TensorCompress.Storage;

namespace TensorCompress.Tokenization.Json;

/// <summary>The <c>added_tokens</c> of a tokenizer.json, and the same objects in tokenizer_config.json.</summary>
internal static class AddedTokenJson
{
    /// <summary>Reads a list of added tokens and puts those into the vocabulary that are not there yet.</summary>
    public static IEnumerable<AddedToken> ReadAll(JsonSource list, VocabularyReader vocabulary)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonSource item in list.Items())
        {
            JsonProperties properties = item.Properties();
            AddedToken token = Read(properties, properties.Require("id").Id(), vocabulary);
            if (!seen.Add(token.Content)) throw item.Fault(TensorFormatError.Duplicate, $"The added token '{token.Content}' stands twice.");
            yield return token;
        }
    }

    /// <summary>Reads one added token and puts it into the vocabulary where it is not there yet.</summary>
    public static AddedToken Read(JsonProperties properties, int id, VocabularyReader vocabulary)
    {
        AddedToken token = Read(properties, id);
        if (vocabulary.Find(token.Content) is not int known) vocabulary.AddToken(token.Content, id, properties.Source.Offset);
        else if (known != id) throw properties.Source.Fault(TensorFormatError.Inconsistent, $"The added token '{token.Content}' has the id {id}, but {known} in the vocabulary.");
        return token;
    }

    /// <summary>Reads one added token.</summary>
    public static AddedToken Read(JsonProperties properties, int id)
    {
        var token = new AddedToken(
            id,
            properties.Require("content").String(),
            properties.Flag("special"),
            properties.Flag("normalized", missing: true),
            properties.Flag("lstrip"),
            properties.Flag("rstrip"),
            properties.Flag("single_word"));
        return token.Content.Length > 0 ? token : throw properties.Source.Fault(TensorFormatError.Value, "An added token is empty.");
    }
}
