using System.Globalization;
using TensorCompress.Storage;
using TensorCompress.Tokenization.SentencePiece;

namespace TensorCompress.Tokenization.Json;

/// <summary>What the files beside a SentencePiece model say of it: the ids that begin and end texts, and tokens that are looked for in texts.</summary>
internal static class SentencePieceSettings
{
    public static SentencePieceVocabulary Apply(SentencePieceVocabulary vocabulary, SpecialTokenSettings settings, string folder)
    {
        JsonProperties? config = SpecialTokenSettings.ReadConfig(folder, "tokenizer_config.json");
        var pieces = new List<Piece>(vocabulary.Pieces);
        AddedToken[] added = config?.Find("added_tokens_decoder") is JsonSource list ? [.. ReadAdded(list, pieces)] : [];
        SpecialTokenIds ids = settings.Resolve([.. pieces.Select(piece => piece.Text)]);
        if (ids.BeginOfText is null && ids.EndOfText.Count == 0) ids = new SpecialTokenIds(vocabulary.BeginId, vocabulary.EndId is int end ? [end] : []);
        return vocabulary with
        {
            Pieces = pieces,
            AddedTokens = added,
            SpecialIds = ids,
            AddsBegin = config?.Find("add_bos_token")?.Boolean() ?? vocabulary.AddsBegin,
            AddsEnd = config?.Find("add_eos_token")?.Boolean() ?? vocabulary.AddsEnd,
        };
    }

    // Tokens behind the model's own pieces make the vocabulary longer; they must follow without a gap.
    private static IEnumerable<AddedToken> ReadAdded(JsonSource list, List<Piece> pieces)
    {
        foreach ((string key, JsonSource item) in list.Properties().All.OrderBy(entry => entry.Key.Length).ThenBy(entry => entry.Key, StringComparer.Ordinal))
        {
            if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id)) throw item.Fault(TensorFormatError.Value, $"'{key}' is no id.");
            AddedToken token = AddedTokenJson.Read(item.Properties(), id);
            if (id == pieces.Count) pieces.Add(new Piece(token.Content, 0, token.IsSpecial ? PieceType.Control : PieceType.UserDefined));
            else if (id > pieces.Count) throw item.Fault(TensorFormatError.Inconsistent, $"The added token {id} leaves a gap behind the {pieces.Count} pieces.");
            else if (pieces[id].Text != token.Content) throw item.Fault(TensorFormatError.Inconsistent, $"The added token '{token.Content}' has the id of the piece '{pieces[id].Text}'.");
            yield return token;
        }
    }
}
