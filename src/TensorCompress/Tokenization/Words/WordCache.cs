using System.Runtime.InteropServices;

namespace TensorCompress.Tokenization.Words;

/// <summary>Remembers the ids of short words in a table of fixed size: a word has one place, and a new one there takes the place of the old.</summary>
internal sealed class WordCache
{
    public const int MaxWordLength = 16;

    private const int MaxIds = 7;
    private const int SlotBits = 14;
    private const int SlotCount = 1 << SlotBits;

    private Slot[]? _slots;

    /// <summary>Appends the ids of a word, where it is known.</summary>
    public bool TryAppend(ReadOnlySpan<char> word, List<int> ids, out ulong hash)
    {
        hash = 0;
        if (word.Length > MaxWordLength) return false;
        hash = Hash(word);
        ref Slot slot = ref (_slots ??= new Slot[SlotCount])[hash >> (64 - SlotBits)];
        if (slot.Hash != hash || slot.Length != word.Length || !word.SequenceEqual(((ReadOnlySpan<char>)slot.Word)[..word.Length])) return false;
        ids.AddRange(((ReadOnlySpan<int>)slot.Ids)[..slot.Count]);
        return true;
    }

    /// <summary>Remembers a word that <see cref="TryAppend"/> did not know.</summary>
    public void Add(ReadOnlySpan<char> word, ulong hash, ReadOnlySpan<int> ids)
    {
        if (word.Length > MaxWordLength || ids.Length > MaxIds) return;
        ref Slot slot = ref _slots![hash >> (64 - SlotBits)];
        slot.Hash = hash;
        slot.Length = (byte)word.Length;
        slot.Count = (byte)ids.Length;
        word.CopyTo(slot.Word);
        ids.CopyTo(slot.Ids);
    }

    private static ulong Hash(ReadOnlySpan<char> word)
    {
        ulong hash = (ulong)word.Length * 0x9E3779B97F4A7C15;
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(word);
        while (bytes.Length >= 8)
        {
            hash = (hash ^ BitConverter.ToUInt64(bytes)) * 0xD6E8FEB86659FD93;
            hash ^= hash >> 32;
            bytes = bytes[8..];
        }

        ulong rest = 0;
        for (int i = 0; i < bytes.Length; i += 2) rest = rest << 16 | BitConverter.ToUInt16(bytes[i..]);
        hash = (hash ^ rest) * 0xD6E8FEB86659FD93;
        return hash ^ hash >> 32;
    }

    private struct Slot
    {
        public ulong Hash;
        public byte Length; // 0: free
        public byte Count;
        public WordUnits Word;
        public WordIds Ids;
    }

    [System.Runtime.CompilerServices.InlineArray(MaxWordLength)]
    private struct WordUnits
    {
        private char _first;
    }

    [System.Runtime.CompilerServices.InlineArray(MaxIds)]
    private struct WordIds
    {
        private int _first;
    }
}
