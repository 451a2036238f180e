using System.Buffers.Binary;

namespace TensorCompress.Tokenization.Normalizers;

/// <summary>SentencePiece's <c>precompiled_charsmap</c>: a double-array trie from byte sequences to places in a list of texts, each ended by a zero byte.</summary>
internal sealed class CharacterMap
{
    private readonly uint[] _units;
    private readonly byte[] _texts;

    private CharacterMap(uint[] units, byte[] texts)
    {
        _units = units;
        _texts = texts;
    }

    /// <summary>Reads a map; null where the sizes do not fit together.</summary>
    public static CharacterMap? Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 4) return null;
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (size > bytes.Length - 4 || size % 4 != 0 || size == 0) return null;
        var units = new uint[size / 4];
        for (int i = 0; i < units.Length; i++) units[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(4 + 4 * i)..]);
        return new CharacterMap(units, bytes[(4 + (int)size)..].ToArray());
    }

    /// <summary>Finds a beginning of some bytes in the map.</summary>
    /// <param name="bytes">UTF-8.</param>
    /// <param name="isShortest">Whether the shortest counts, otherwise the longest.</param>
    /// <param name="length">Its length, or 0 where there is none.</param>
    /// <returns>What takes its place, as UTF-8.</returns>
    public ReadOnlySpan<byte> Find(ReadOnlySpan<byte> bytes, bool isShortest, out int length)
    {
        length = 0;
        uint value = 0;
        uint node = Offset(_units[0]);
        for (int i = 0; i < bytes.Length && bytes[i] != 0; i++)
        {
            node ^= bytes[i];
            if (node >= _units.Length) break;
            uint unit = _units[node];
            if ((unit & 0x800000FF) != bytes[i]) break;
            node ^= Offset(unit);
            if ((unit >> 8 & 1) == 0) continue;
            if (node >= _units.Length) break;
            value = _units[node] & 0x7FFFFFFF;
            length = i + 1;
            if (isShortest) break;
        }

        if (length == 0) return default;
        ReadOnlySpan<byte> text = value < _texts.Length ? _texts.AsSpan((int)value) : default;
        int end = text.IndexOf((byte)0);
        return end < 0 ? text : text[..end];
    }

    /// <summary>Whether any entry begins with a byte.</summary>
    public bool HasBeginning(byte value)
    {
        uint node = Offset(_units[0]) ^ value;
        return value != 0 && node < _units.Length && (_units[node] & 0x800000FF) == value;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1 << 9) >> 6);
}
