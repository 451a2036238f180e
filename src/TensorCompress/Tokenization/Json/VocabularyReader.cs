using System.Text.Json;
using TensorCompress.Storage;

namespace TensorCompress.Tokenization.Json;

/// <summary>Collects the tokens and merges of a vocabulary from whatever file and checks that they fit together.</summary>
internal sealed class VocabularyReader(string? fileName)
{
    private const int MaxTokens = 4_000_000;
    private const int MaxUnusedIds = 1024; // beside one for each token: bounds what a single huge id can demand

    private readonly Dictionary<string, int> _idOfToken = new(StringComparer.Ordinal);
    private readonly List<BpeMerge> _merges = [];
    private char[] _text = new char[256];

    public IReadOnlyList<BpeMerge> Merges => _merges;

    public int Count => _idOfToken.Count;

    public int? Find(string token) => _idOfToken.TryGetValue(token, out int id) ? id : null;

    public void AddToken(string token, int id, long? offset = null)
    {
        if (_idOfToken.Count == MaxTokens) throw Fault(TensorFormatError.Limit, $"The vocabulary has more than {MaxTokens} tokens.", offset);
        if (!_idOfToken.TryAdd(token, id)) throw Fault(TensorFormatError.Duplicate, $"The token '{token}' stands twice.", offset);
    }

    /// <summary>The tokens by id; null where an id is not used.</summary>
    public string?[] TokensById()
    {
        int largest = _idOfToken.Count == 0 ? -1 : _idOfToken.Values.Max();
        if (largest >= 2L * _idOfToken.Count + MaxUnusedIds)
            throw Fault(TensorFormatError.Limit, $"The largest id is {largest}, but there are only {_idOfToken.Count} tokens.", null);
        var tokens = new string?[largest + 1];
        foreach ((string token, int id) in _idOfToken)
        {
            if (tokens[id] is string other) throw Fault(TensorFormatError.Duplicate, $"The tokens '{other}' and '{token}' both have the id {id}.", null);
            tokens[id] = token;
        }

        return tokens;
    }

    /// <summary>Reads a JSON object from token to id.</summary>
    public void ReadTokens(JsonSource source)
    {
        var reader = new Utf8JsonReader(source.Utf8.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw source.Fault(TensorFormatError.Structure, "The vocabulary is no object.");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            long offset = source.Offset + reader.TokenStartIndex;
            string token = source.ReadString(ref reader);
            reader.Read();
            AddToken(token, source.ReadId(ref reader), offset);
        }
    }

    /// <summary>Reads a JSON array of merges, each <c>"a b"</c> or <c>["a", "b"]</c>. A prefix that right parts begin with is left out of the results.</summary>
    public void ReadMerges(JsonSource source, string continuingPrefix = "")
    {
        var reader = new Utf8JsonReader(source.Utf8.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray) throw source.Fault(TensorFormatError.Structure, "The merges are no array.");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            long offset = source.Offset + reader.TokenStartIndex;
            if (reader.TokenType == JsonTokenType.String)
            {
                AddMerge(_text.AsSpan(0, CopyString(source, ref reader, 0)), offset, continuingPrefix);
                continue;
            }

            if (reader.TokenType != JsonTokenType.StartArray) throw source.At(ref reader, TensorFormatError.Structure, "A merge is neither a text nor an array.");
            int length = 0;
            int leftLength = 0;
            int parts = 0;
            while (reader.Read() && reader.TokenType == JsonTokenType.String)
            {
                length = CopyString(source, ref reader, length);
                if (parts++ == 0) leftLength = length;
            }

            if (reader.TokenType != JsonTokenType.EndArray || parts != 2) throw source.At(ref reader, TensorFormatError.Value, "A merge does not have two parts that are texts.");
            AddMerge(_text.AsSpan(0, leftLength), _text.AsSpan(leftLength, length - leftLength), offset, continuingPrefix);
        }
    }

    /// <summary>Reads a JSON array of tokens with their scores, each <c>["a", -1.5]</c>; an id is a token's place.</summary>
    public double[] ReadScoredTokens(JsonSource source)
    {
        var scores = new List<double>();
        var reader = new Utf8JsonReader(source.Utf8.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray) throw source.Fault(TensorFormatError.Structure, "The vocabulary is no array.");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            long offset = source.Offset + reader.TokenStartIndex;
            if (reader.TokenType != JsonTokenType.StartArray || !reader.Read() || reader.TokenType != JsonTokenType.String)
                throw source.At(ref reader, TensorFormatError.Structure, "A token of the vocabulary is no array of a text and a number.");
            AddToken(source.ReadString(ref reader), scores.Count, offset);
            reader.Read();
            scores.Add(source.ReadNumber(ref reader));
            if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray) throw source.At(ref reader, TensorFormatError.Structure, "A token of the vocabulary has more than a text and a number.");
        }

        return scores.Count > 0 ? [.. scores] : throw source.Fault(TensorFormatError.Value, "The vocabulary is empty.");
    }

    /// <summary>Adds a merge written as two parts with one blank between them.</summary>
    public void AddMerge(ReadOnlySpan<char> line, long? offset = null, string continuingPrefix = "")
    {
        int blank = line.IndexOf(' ');
        if (blank <= 0 || blank == line.Length - 1 || line[(blank + 1)..].Contains(' '))
            throw Fault(TensorFormatError.Value, $"The merge '{line}' does not have two parts.", offset);
        AddMerge(line[..blank], line[(blank + 1)..], offset, continuingPrefix);
    }

    private void AddMerge(ReadOnlySpan<char> left, ReadOnlySpan<char> right, long? offset, string continuingPrefix)
    {
        ReadOnlySpan<char> addition = right.StartsWith(continuingPrefix) ? right[continuingPrefix.Length..] : right;
        Span<char> both = left.Length + addition.Length <= 256 ? stackalloc char[left.Length + addition.Length] : new char[left.Length + addition.Length];
        left.CopyTo(both);
        addition.CopyTo(both[left.Length..]);
        _merges.Add(new BpeMerge(IdOfPart(left, offset), IdOfPart(right, offset), IdOfPart(both, offset)));
    }

    private int IdOfPart(ReadOnlySpan<char> part, long? offset) =>
        _idOfToken.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(part, out int id)
            ? id
            : throw Fault(TensorFormatError.Value, $"A merge needs '{part}', which is not in the vocabulary.", offset);

    // Appends the reader's string to the text at an index and returns the new length.
    private int CopyString(JsonSource source, ref Utf8JsonReader reader, int at)
    {
        int needed = at + reader.ValueSpan.Length;
        if (_text.Length < needed) Array.Resize(ref _text, Math.Max(needed, 2 * _text.Length));
        try
        {
            return at + reader.CopyString(_text.AsSpan(at));
        }
        catch (InvalidOperationException e)
        {
            throw source.At(ref reader, TensorFormatError.Encoding, "A text has half of a surrogate pair.", e);
        }
    }

    private TensorFormatException Fault(TensorFormatError kind, string reason, long? offset) => new(kind, reason, fileName, offset: offset);
}
