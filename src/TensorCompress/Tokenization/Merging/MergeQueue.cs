namespace TensorCompress.Tokenization.Merging;

/// <summary>A heap of (priority, position), the smallest first and the leftmost of equals, in storage that the caller provides. Every entry has four below it: fewer levels than two, and they lie together.</summary>
internal ref struct MergeQueue(Span<ulong> storage)
{
    private const int Arity = 4;

    private readonly Span<ulong> _entries = storage;
    private int _count;

    /// <summary>Adds an entry without keeping the order: <see cref="Order"/> must follow before anything is taken.</summary>
    public void Append(uint priority, int position) => _entries[_count++] = Entry(priority, position);

    public readonly void Order()
    {
        for (int i = (_count - 2) / Arity; i >= 0 && _count > 1; i--) SiftDown(i, _entries[i]);
    }

    public void Add(uint priority, int position)
    {
        ulong entry = Entry(priority, position);
        int index = _count++;
        while (index > 0)
        {
            int parent = (index - 1) / Arity;
            if (_entries[parent] <= entry) break;
            _entries[index] = _entries[parent];
            index = parent;
        }

        _entries[index] = entry;
    }

    public bool TryTake(out uint priority, out int position)
    {
        if (_count == 0)
        {
            priority = 0;
            position = 0;
            return false;
        }

        ulong entry = _entries[0];
        priority = (uint)(entry >> 32);
        position = (int)(uint)entry;
        ulong last = _entries[--_count];
        if (_count > 0) SiftDown(0, last);
        return true;
    }

    private static ulong Entry(uint priority, int position) => (ulong)priority << 32 | (uint)position;

    private readonly void SiftDown(int index, ulong entry)
    {
        for (int child = Arity * index + 1; child < _count; child = Arity * index + 1)
        {
            int end = Math.Min(child + Arity, _count);
            int smallest = child;
            for (int other = child + 1; other < end; other++)
            {
                if (_entries[other] < _entries[smallest]) smallest = other;
            }

            if (_entries[smallest] >= entry) break;
            _entries[index] = _entries[smallest];
            index = smallest;
        }

        _entries[index] = entry;
    }
}
