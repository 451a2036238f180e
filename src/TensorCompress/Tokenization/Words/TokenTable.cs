namespace TensorCompress.Tokenization.Words;

/// <summary>The tokens of a vocabulary as texts, by id and by text. Immutable.</summary>
internal sealed class TokenTable
{
    private readonly string?[] _tokens;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    /// <summary>Takes the tokens by id, null where an id is not used; of a repeated text the first id counts.</summary>
    public TokenTable(IEnumerable<string?> tokens)
    {
        _tokens = [.. tokens];
        for (int id = 0; id < _tokens.Length; id++)
        {
            if (_tokens[id] is string token) _ids.TryAdd(token, id);
        }

        _lookup = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public int Count => _tokens.Length;

    /// <summary>The token of an id of the vocabulary, or null where the id is not used.</summary>
    public string? this[int id] => _tokens[id];

    /// <summary>The id of a text, or -1.</summary>
    public int Find(ReadOnlySpan<char> token) => _lookup.TryGetValue(token, out int id) ? id : -1;

    /// <summary>Ids of the tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>, -1 where one is missing.</summary>
    public int[] FindByteTokens() => [.. Enumerable.Range(0, 256).Select(value => Find($"<0x{value:X2}>"))];
}
