using System.Numerics;

namespace TensorCompress.Tokenization.Merging;

/// <summary>The byte strings of all tokens in one array, and on demand an index from bytes to id.</summary>
internal sealed class TokenBytes
{
    // Differs from process to process, so that a file cannot be made whose tokens all fall together.
    private static readonly ulong Seed = (uint)HashCode.Combine(0) | (ulong)(uint)HashCode.Combine(1) << 32;

    private readonly byte[] _bytes;
    private readonly int[] _ends;
    private int[] _slots = []; // id + 1, 0 is free

    /// <summary>Takes the concatenated tokens and where each ends.</summary>
    public TokenBytes(byte[] bytes, int[] ends)
    {
        _bytes = bytes;
        _ends = ends;
    }

    public int Count => _ends.Length;

    public ReadOnlySpan<byte> this[int id] => _bytes.AsSpan((id == 0 ? 0 : _ends[id - 1]).._ends[id]);

    /// <summary>Makes <see cref="Find"/> possible. Empty tokens are not found, nor those that the filter leaves out.</summary>
    /// <returns>The first id whose bytes another token has already, or -1.</returns>
    public int BuildIndex(Func<int, bool>? filter = null)
    {
        _slots = new int[BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, 2 * Count))];
        int duplicate = -1;
        for (int id = 0; id < Count; id++)
        {
            if (this[id].IsEmpty || (filter is not null && !filter(id))) continue;
            ref int slot = ref FindSlot(this[id], default);
            if (slot == 0) slot = id + 1;
            else if (duplicate < 0) duplicate = id;
        }

        return duplicate;
    }

    /// <summary>The id of the token whose bytes are the two parts joined, or -1.</summary>
    public int Find(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second = default) => FindSlot(first, second) - 1;

    private ref int FindSlot(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        for (uint index = (uint)(Hash(Hash(Seed, first), second) >> 32); ; index++)
        {
            ref int slot = ref _slots[index & (uint)(_slots.Length - 1)];
            if (slot == 0) return ref slot;
            ReadOnlySpan<byte> token = this[slot - 1];
            if (token.Length == first.Length + second.Length && token.StartsWith(first) && token.EndsWith(second)) return ref slot;
        }
    }

    // Byte by byte, so that two parts hash like the whole; tokens are short.
    private static ulong Hash(ulong hash, ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            hash = (hash ^ value) * 0x9E3779B97F4A7C15;
            hash ^= hash >> 29;
        }

        return hash;
    }
}
