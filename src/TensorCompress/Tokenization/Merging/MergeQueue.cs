namespace TensorCompress.Tokenization.Merging;

/// <summary>
/// A queue of (priority, position), the smallest first and the leftmost of equals, in storage that the caller provides. What it begins with is sorted once and read from front to
/// back, only what is added later goes through a heap. Every entry of the heap has four below it: fewer levels than two, and they lie together.
/// </summary>
internal ref struct MergeQueue(Span<ulong> storage)
{
    private const int Arity = 4;

    private readonly Span<ulong> _storage = storage;
    private Span<ulong> _sorted = default;
    private Span<ulong> _heap = storage;
    private int _count;

    /// <summary>Adds an entry before anything is taken: <see cref="Order"/> must follow.</summary>
    public void Append(uint priority, int position) => _storage[_count++] = Entry(priority, position);

    public void Order()
    {
        _sorted = _storage[.._count];
        _sorted.Sort();
        _heap = _storage[_count..];
        _count = 0;
    }

    public void Add(uint priority, int position)
    {
        ulong entry = Entry(priority, position);
        int index = _count++;
        while (index > 0)
        {
            int parent = (index - 1) / Arity;
            if (_heap[parent] <= entry) break;
            _heap[index] = _heap[parent];
            index = parent;
        }

        _heap[index] = entry;
    }

    public bool TryTake(out uint priority, out int position)
    {
        ulong entry;
        if (!_sorted.IsEmpty && (_count == 0 || _sorted[0] < _heap[0]))
        {
            entry = _sorted[0];
            _sorted = _sorted[1..];
        }
        else if (_count == 0)
        {
            priority = 0;
            position = 0;
            return false;
        }
        else
        {
            entry = _heap[0];
            ulong last = _heap[--_count];
            if (_count > 0) SiftDown(last);
        }

        priority = (uint)(entry >> 32);
        position = (int)(uint)entry;
        return true;
    }

    private static ulong Entry(uint priority, int position) => (ulong)priority << 32 | (uint)position;

    private readonly void SiftDown(ulong entry)
    {
        int index = 0;
        for (int child = 1; child < _count; child = Arity * index + 1)
        {
            int end = Math.Min(child + Arity, _count);
            int smallest = child;
            for (int other = child + 1; other < end; other++)
            {
                if (_heap[other] < _heap[smallest]) smallest = other;
            }

            if (_heap[smallest] >= entry) break;
            _heap[index] = _heap[smallest];
            index = smallest;
        }

        _heap[index] = entry;
    }
}
