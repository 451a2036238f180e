namespace TensorCompress.Tokenization.Expressions;

/// <summary>What the matches within one text share: the stack, the steps taken so far, and the states that are known to fail.</summary>
internal sealed class MatchState
{
    private const int PageBits = 1 << 15;

    private readonly Dictionary<long, ulong[]> _pages = [];
    private readonly List<long> _trail = [];
    private readonly Dictionary<int, (int Start, int End)> _runs = [];
    private Frame[] _frames = new Frame[64];

    /// <summary>Instructions and characters so far.</summary>
    public long Steps { get; set; }

    /// <summary>Whether the stepwise program is in use, with its memory of failures.</summary>
    public bool IsStepwise { get; private set; }

    public int Depth { get; private set; }

    /// <summary>How many states the current path has.</summary>
    public int TrailLength => _trail.Count;

    /// <summary>Begins a new text.</summary>
    public void Reset()
    {
        Steps = 0;
        Depth = 0;
        IsStepwise = false;
        if (_pages.Count > 0) _pages.Clear();
        if (_runs.Count > 0) _runs.Clear();
        _trail.Clear();
    }

    public void BecomeStepwise()
    {
        Reset();
        IsStepwise = true;
    }

    public void Push(Frame frame)
    {
        if (Depth == _frames.Length) Array.Resize(ref _frames, 2 * Depth);
        _frames[Depth++] = frame;
    }

    public ref Frame Top => ref _frames[Depth - 1];

    public void Pop() => Depth--;

    public void PopTo(int depth) => Depth = depth;

    /// <summary>Enters a state; false where it is known to fail.</summary>
    public bool Enter(long state)
    {
        long page = state / PageBits;
        if (!_pages.TryGetValue(page, out ulong[]? bits)) _pages.Add(page, bits = new ulong[PageBits / 64]);
        ref ulong word = ref bits[state % PageBits / 64];
        ulong bit = 1UL << (int)(state % 64);
        if ((word & bit) != 0) return false;
        word |= bit;
        _trail.Add(state);
        return true;
    }

    /// <summary>Leaves states by failure: they are not entered again.</summary>
    public void FailTo(int trailLength) => _trail.RemoveRange(trailLength, _trail.Count - trailLength);

    /// <summary>Leaves all states by success: what was on the way may be entered again.</summary>
    public void Succeed()
    {
        foreach (long state in _trail) _pages[state / PageBits][state % PageBits / 64] &= ~(1UL << (int)(state % 64));
        _trail.Clear();
    }

    /// <summary>The end of the run of an instruction's characters that a place lies in, where it is known.</summary>
    public bool FindRun(int instruction, int position, out int end)
    {
        bool isKnown = _runs.TryGetValue(instruction, out (int Start, int End) run) && position >= run.Start && position < run.End;
        end = run.End;
        return isKnown;
    }

    public void KeepRun(int instruction, int start, int end) => _runs[instruction] = (start, end);

    /// <summary>Where to go on after a failure. <see cref="Min"/> at least zero: first give back characters, down to that place.</summary>
    internal struct Frame
    {
        public int Instruction;
        public int Position;
        public int Min;
        public int TrailLength;
    }
}
