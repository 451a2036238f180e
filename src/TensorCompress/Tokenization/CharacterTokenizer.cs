using System.Buffers;
using System.Text;
using System.Text.Json;
using TensorCompress.Storage;
using TensorCompress.Tokenization.Json;

namespace TensorCompress.Tokenization;

/// <summary>One token for each character (Unicode scalar value) of a fixed set; other characters are refused.</summary>
/// <remarks>Its file, <c>characters.json</c>: <c>{"type":"character","symbols":["\n"," ","!"]}</c>; an id is a symbol's place, from 0.</remarks>
public sealed class CharacterTokenizer : Tokenizer
{
    private const string JsonType = "character";

    private readonly Rune[] _symbols;
    private readonly Dictionary<Rune, int> _ids = [];
    private readonly SpecialTokenIds _specialIds;

    /// <summary>Makes the tokenizer of a list of symbols.</summary>
    /// <param name="symbols">The characters by id; lone surrogates count as U+FFFD.</param>
    /// <param name="specialIds">Ids that begin and end a text, or null for none.</param>
    /// <exception cref="ArgumentException">There is no symbol, one stands twice, or a special id is not in the vocabulary.</exception>
    public CharacterTokenizer(IEnumerable<Rune> symbols, SpecialTokenIds? specialIds = null)
    {
        ArgumentNullException.ThrowIfNull(symbols);
        _symbols = [.. symbols];
        if (_symbols.Length == 0) throw new ArgumentException("At least one symbol is required.", nameof(symbols));
        for (int id = 0; id < _symbols.Length; id++)
        {
            if (!_ids.TryAdd(_symbols[id], id)) throw new ArgumentException($"The symbol {Describe(_symbols[id])} stands twice.", nameof(symbols));
        }

        _specialIds = specialIds ?? SpecialTokenIds.None;
        _specialIds.ThrowIfOutside(_symbols.Length);
    }

    /// <inheritdoc/>
    public override string Kind => JsonType;

    /// <inheritdoc/>
    public override int VocabularySize => _symbols.Length;

    /// <inheritdoc/>
    public override int? BeginOfTextId => _specialIds.BeginOfText;

    /// <inheritdoc/>
    public override IReadOnlyList<int> EndOfTextIds => _specialIds.EndOfText;

    /// <summary>The tokenizer of the characters that a text has, in the order of their code points.</summary>
    /// <param name="text">A text that is not empty.</param>
    /// <exception cref="ArgumentException">The text is empty.</exception>
    public static CharacterTokenizer FromText(ReadOnlySpan<char> text)
    {
        var symbols = new SortedSet<Rune>();
        foreach (Rune rune in text.EnumerateRunes()) symbols.Add(rune);
        return symbols.Count > 0 ? new CharacterTokenizer(symbols) : throw new ArgumentException("A text without characters gives no vocabulary.", nameof(text));
    }

    /// <summary>Reads a <c>characters.json</c>.</summary>
    /// <param name="utf8">The whole file; not needed after the call.</param>
    /// <param name="fileName">Name for messages, or null.</param>
    /// <param name="specialIds">Ids that begin and end a text, or null for none.</param>
    /// <exception cref="ArgumentException">An id of <paramref name="specialIds"/> is not in the vocabulary.</exception>
    /// <exception cref="TensorFormatException">The file is damaged or of another kind.</exception>
    public static CharacterTokenizer Read(ReadOnlyMemory<byte> utf8, string? fileName = null, SpecialTokenIds? specialIds = null) =>
        Read(JsonSource.Parse(utf8, fileName).Properties(), SpecialTokenSettings.Of(specialIds ?? SpecialTokenIds.None));

    /// <summary>Writes the <c>characters.json</c> that <see cref="Read(ReadOnlyMemory{byte}, string, SpecialTokenIds)"/> reads.</summary>
    /// <returns>The file as UTF-8.</returns>
    public byte[] Write()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, TokenizerJson.WriterOptions with { Indented = false }))
        {
            json.WriteStartObject();
            json.WriteString("type", JsonType);
            json.WriteStartArray("symbols");
            foreach (Rune symbol in _symbols) json.WriteStringValue(symbol.ToString());
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return [.. buffer.WrittenSpan, (byte)'\n'];
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A character is not in the vocabulary (the message names it and its position), or the text is too long. Nothing is appended then.</exception>
    public override void Encode(ReadOnlySpan<char> text, List<int> ids, EncodeOptions options)
    {
        ThrowIfTooLong(text);
        ArgumentNullException.ThrowIfNull(ids);
        int before = ids.Count;
        if (options.AddSpecialTokens && BeginOfTextId is int begin) ids.Add(begin);
        int position = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (!_ids.TryGetValue(rune, out int id))
            {
                ids.RemoveRange(before, ids.Count - before);
                throw new ArgumentException($"The character {Describe(rune)} at position {position} is not in the vocabulary of {_symbols.Length} symbols.", nameof(text));
            }

            ids.Add(id);
            position += rune.Utf16SequenceLength;
        }
    }

    /// <inheritdoc/>
    public override string Piece(int id)
    {
        ThrowIfNotInVocabulary(id);
        return _symbols[id].ToString();
    }

    /// <inheritdoc/>
    public override bool IsSpecial(int id)
    {
        ThrowIfNotInVocabulary(id);
        return false;
    }

    internal static CharacterTokenizer Read(JsonProperties file, SpecialTokenSettings settings)
    {
        string type = file.Type();
        if (type != JsonType) throw file.Unsupported($"The tokenizer type '{type}'", [JsonType]);
        var symbols = new List<Rune>();
        var seen = new HashSet<Rune>();
        foreach (JsonSource item in file.Require("symbols").Items())
        {
            string text = item.String();
            if (Rune.DecodeFromUtf16(text, out Rune symbol, out int length) != OperationStatus.Done || length != text.Length)
                throw item.Fault(TensorFormatError.Value, $"The symbol '{text}' is not one character.");
            if (!seen.Add(symbol)) throw item.Fault(TensorFormatError.Duplicate, $"The symbol {Describe(symbol)} stands twice.");
            symbols.Add(symbol);
        }

        if (symbols.Count == 0) throw file.Source.Fault(TensorFormatError.Value, "At least one symbol is required.");
        return new CharacterTokenizer(symbols, settings.Resolve([.. symbols.Select(symbol => symbol.ToString())]));
    }

    internal override TokenText OpenText(List<byte> bytes, bool isLive) => new SymbolText(_symbols, bytes);

    private static string Describe(Rune rune) => Rune.IsControl(rune) ? $"U+{rune.Value:X4}" : $"'{rune}' (U+{rune.Value:X4})";

    private sealed class SymbolText(Rune[] symbols, List<byte> bytes) : TokenText
    {
        public override void Append(int id)
        {
            Span<byte> utf8 = stackalloc byte[4];
            bytes.AddRange(utf8[..symbols[id].EncodeToUtf8(utf8)]);
        }
    }
}
