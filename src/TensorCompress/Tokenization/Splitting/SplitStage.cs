using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Splitting;

/// <summary>What becomes of the matches of a split.</summary>
internal enum SplitBehavior
{
    /// <summary>They are left out.</summary>
    Removed,

    /// <summary>Each is a piece.</summary>
    Isolated,

    /// <summary>Each is the end of the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>Each is the beginning of the piece after it.</summary>
    MergedWithNext,

    /// <summary>Neighbours are one piece.</summary>
    Contiguous,
}

/// <summary>Cuts at the matches of a pattern; inverted, what is between them counts as the matches.</summary>
internal sealed class SplitStage(PieceMatcher matcher, SplitBehavior behavior, bool isInverted = false) : PreTokenizerStage
{
    public override void Cut(ReadOnlySpan<char> part, bool isFirst, EncodingRun run, int depth)
    {
        Expressions.MatchState state = run.MatchStateOf(depth);
        state.Reset();
        var pieces = new Pieces(behavior, run, depth, isFirst);
        int done = 0;
        for (int from = 0; from < part.Length && matcher.Find(part, from, state, out int start, out int end);)
        {
            if (start > done) pieces.Add(part, done, start, isInverted);
            if (end > start) pieces.Add(part, start, end, !isInverted);
            done = end;
            from = end > start ? end : start + StepAt(part, start); // a match of nothing only cuts
        }

        if (done < part.Length) pieces.Add(part, done, part.Length, isInverted);
        pieces.Flush(part);
    }

    private static int StepAt(ReadOnlySpan<char> part, int index)
    {
        if (index >= part.Length) return 1;
        CodePoints.At(part, index, out int length);
        return length;
    }

    // Puts matches and what is between them together as the behaviour says.
    private ref struct Pieces(SplitBehavior behavior, EncodingRun run, int depth, bool isFirst)
    {
        private int _start = -1; // of what waits for its neighbour
        private int _end;
        private bool _wasMatch;

        public void Add(ReadOnlySpan<char> part, int start, int end, bool isMatch)
        {
            switch (behavior)
            {
                case SplitBehavior.Isolated:
                    Pass(part, start, end);
                    break;
                case SplitBehavior.Removed:
                    if (!isMatch) Pass(part, start, end);
                    break;
                default:
                    bool joins = behavior switch
                    {
                        SplitBehavior.Contiguous => isMatch == _wasMatch,
                        SplitBehavior.MergedWithPrevious => isMatch && !_wasMatch,
                        _ => _wasMatch && !isMatch,
                    };
                    if (_start >= 0 && joins) _end = end;
                    else
                    {
                        Flush(part);
                        (_start, _end) = (start, end);
                    }

                    _wasMatch = isMatch;
                    break;
            }
        }

        public void Flush(ReadOnlySpan<char> part)
        {
            if (_start >= 0) Pass(part, _start, _end);
            _start = -1;
        }

        private readonly void Pass(ReadOnlySpan<char> part, int start, int end) => run.Pass(part[start..end], isFirst && start == 0, depth + 1);
    }
}
