using System.Numerics;

namespace TensorCompress.Tokenization.Words;

/// <summary>Texts as paths from a root, over UTF-16 units: finds all that begin at a place. An open-addressing table from node and unit to the next node.</summary>
internal sealed class PrefixTree
{
    public const int Root = 0;

    // Differs from process to process, so that a file cannot be made whose nodes all fall together.
    private static readonly ulong Seed = (uint)HashCode.Combine(2) | 1UL;

    private readonly List<int> _values = [-1];
    private ulong[] _keys = new ulong[256]; // node and unit, plus one; 0 is free
    private int[] _children = new int[256];

    /// <summary>Adds a text that is not empty; of a repeated text the first value counts.</summary>
    public void Add(ReadOnlySpan<char> text, int value)
    {
        int node = Root;
        foreach (char unit in text)
        {
            if (_values.Count * 2 >= _keys.Length) Grow();
            int slot = Slot(node, unit);
            if (_keys[slot] == 0)
            {
                _keys[slot] = Key(node, unit);
                _children[slot] = _values.Count;
                _values.Add(-1);
            }

            node = _children[slot];
        }

        if (_values[node] < 0) _values[node] = value;
    }

    /// <summary>The node after a unit, or -1.</summary>
    public int Step(int node, char unit)
    {
        int slot = Slot(node, unit);
        return _keys[slot] == 0 ? -1 : _children[slot];
    }

    /// <summary>The value of the text that ends at a node, or -1.</summary>
    public int Value(int node) => _values[node];

    /// <summary>The value of the longest text that a text begins with, or -1.</summary>
    public int LongestAt(ReadOnlySpan<char> text, out int length)
    {
        int longest = -1;
        length = 0;
        int node = Root;
        for (int i = 0; i < text.Length && (node = Step(node, text[i])) >= 0; i++)
        {
            if (_values[node] < 0) continue;
            longest = _values[node];
            length = i + 1;
        }

        return longest;
    }

    private static ulong Key(int node, char unit) => ((ulong)(uint)node << 16 | unit) + 1;

    private int Slot(int node, char unit)
    {
        ulong key = Key(node, unit);
        ulong hash = (key ^ Seed) * 0x9E3779B97F4A7C15;
        uint mask = (uint)_keys.Length - 1;
        uint slot = (uint)(hash >> 32) & mask;
        while (_keys[slot] != 0 && _keys[slot] != key) slot = (slot + 1) & mask;
        return (int)slot;
    }

    private void Grow()
    {
        ulong[] keys = _keys;
        int[] children = _children;
        int length = (int)BitOperations.RoundUpToPowerOf2((uint)keys.Length + 1);
        _keys = new ulong[length];
        _children = new int[length];
        for (int i = 0; i < keys.Length; i++)
        {
            if (keys[i] == 0) continue;
            int slot = Slot((int)((keys[i] - 1) >> 16), (char)(keys[i] - 1));
            _keys[slot] = keys[i];
            _children[slot] = children[i];
        }
    }
}
