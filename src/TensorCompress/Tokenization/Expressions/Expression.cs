using System.Numerics;
using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Expressions;

/// <summary>
/// A regular expression over code points: the leftmost match, of several there the first in the order of the choices. It backtracks, and where that takes more steps than
/// such expressions need it begins to remember the states that failed: the time is linear in the text then, for every expression without atomic groups.
/// </summary>
internal sealed class Expression
{
    private const int PlainStepsPerCharacter = 32;
    private const int FreeSteps = 4096;
    private const int MaxStepsPerCharacter = 64;
    private const int MaxFreeSteps = 1_000_000;
    private const int Failed = -1;
    private const int TooLong = -2;

    private readonly ExpressionProgram _plain;
    private readonly Lazy<ExpressionProgram> _stepwise;
    private readonly CodePointSet[] _firstOfEntry;
    private readonly CodePointSet _first;
    private readonly ulong[] _entriesOfAscii = new ulong[128]; // a bit for each entry

    /// <summary>Reads and compiles an expression.</summary>
    /// <exception cref="NotSupportedException">It has something that is not supported.</exception>
    /// <exception cref="FormatException">It is not well formed.</exception>
    public Expression(string pattern)
    {
        Pattern = pattern;
        ExpressionNode root = ExpressionParser.Parse(pattern);
        _plain = new ExpressionProgram(root, isStepwise: false);
        _stepwise = new Lazy<ExpressionProgram>(() => new ExpressionProgram(root, isStepwise: true));
        IReadOnlyList<ExpressionNode> choices = root is ChoiceNode choice ? choice.Choices : [root];
        if (choices.Count > 64) throw new NotSupportedException($"{choices.Count} choices (at most 64)");
        _firstOfEntry = [.. choices.Select(node => node.CanBeEmpty ? CodePointSet.All : node.First)];
        _first = _firstOfEntry.Aggregate(static (left, right) => left.Union(right));
        for (int c = 0; c < _entriesOfAscii.Length; c++) _entriesOfAscii[c] = EntriesOf(c);
    }

    public string Pattern { get; }

    /// <summary>Finds the next match from an index on.</summary>
    /// <param name="text">The whole text; what stands before <paramref name="from"/> is seen by anchors.</param>
    /// <param name="from">Where the search begins.</param>
    /// <param name="state">Shared by all searches within one text.</param>
    /// <param name="start">Where the match begins.</param>
    /// <param name="end">Where it ends; may be the beginning.</param>
    /// <exception cref="TimeoutException">It takes more steps than any expression should.</exception>
    public bool Find(ReadOnlySpan<char> text, int from, MatchState state, out int start, out int end)
    {
        for (start = from; start < text.Length;)
        {
            int codePoint = CodePoints.At(text, start, out int length);
            state.Steps++;
            ulong entries = codePoint < 128 ? _entriesOfAscii[codePoint] : _first.Contains(codePoint) ? EntriesOf(codePoint) : 0;
            while (entries != 0)
            {
                int entry = BitOperations.TrailingZeroCount(entries);
                end = Run(text, entry, start, state);
                if (end >= 0) return true;
                if (end == TooLong) continue; // again, stepwise
                entries &= entries - 1;
            }

            start += length;
        }

        end = start;
        return false;
    }

    private ulong EntriesOf(int codePoint)
    {
        ulong entries = 0;
        for (int i = 0; i < _firstOfEntry.Length; i++)
        {
            if (_firstOfEntry[i].Contains(codePoint)) entries |= 1UL << i;
        }

        return entries;
    }

    private int Run(ReadOnlySpan<char> text, int entry, int start, MatchState state)
    {
        ExpressionProgram program = state.IsStepwise ? _stepwise.Value : _plain;
        long limit = state.IsStepwise
            ? (MaxStepsPerCharacter + 2L * program.Instructions.Length) * text.Length + MaxFreeSteps
            : (long)PlainStepsPerCharacter * text.Length + FreeSteps;
        int end = new Matcher(program.Instructions, text, state, limit).Run(program.Entries[entry], start, state.IsStepwise);
        if (end == TooLong)
        {
            if (state.IsStepwise) throw new TimeoutException($"The expression '{Pattern}' takes too many steps.");
            state.BecomeStepwise();
        }
        else if (state.IsStepwise && end >= 0) state.Succeed();
        return end;
    }

    private readonly ref struct Matcher(ExpressionInstruction[] instructions, ReadOnlySpan<char> text, MatchState state, long limit)
    {
        private readonly ReadOnlySpan<char> _text = text;

        // Where the match ends, Failed, or TooLong.
        public int Run(int at, int position, bool remembers)
        {
            int depth = state.Depth;
            while (true)
            {
                ref readonly ExpressionInstruction instruction = ref instructions[at];
                if (++state.Steps > limit)
                {
                    state.PopTo(depth);
                    return TooLong;
                }

                bool matches = true;
                switch (instruction.Operation)
                {
                    case ExpressionOperation.Set:
                        matches = position < _text.Length && instruction.Set!.Contains(CodePoints.At(_text, position, out int length)) && Advance(ref position, ref at, length);
                        break;
                    case ExpressionOperation.Loop:
                        matches = RunLoop(in instruction, ref at, ref position);
                        break;
                    case ExpressionOperation.PossessiveLoop:
                        matches = RunPossessiveLoop(in instruction, ref at, ref position);
                        break;
                    case ExpressionOperation.Split:
                        matches = !remembers || state.Enter((long)position * instructions.Length + at);
                        if (matches) state.Push(new MatchState.Frame { Instruction = instruction.B, Position = position, Min = -1, TrailLength = state.TrailLength });
                        at = instruction.A;
                        break;
                    case ExpressionOperation.Jump:
                        at = instruction.A;
                        break;
                    case ExpressionOperation.Anchor:
                        matches = IsAt((AnchorKind)instruction.A, position);
                        at++;
                        break;
                    case ExpressionOperation.Accept:
                        state.PopTo(depth);
                        return position;
                    default:
                        int inner = RunInner(in instruction, at, position);
                        if (inner == TooLong)
                        {
                            state.PopTo(depth);
                            return TooLong;
                        }

                        matches = inner >= 0;
                        if (instruction.Operation == ExpressionOperation.Atomic) position = inner;
                        at = instruction.A;
                        break;
                }

                if (!matches && !Backtrack(depth, remembers, ref at, ref position)) return Failed;
            }
        }

        private static bool Advance(ref int position, ref int at, int length)
        {
            position += length;
            at++;
            return true;
        }

        private bool Backtrack(int depth, bool remembers, ref int at, ref int position)
        {
            if (state.Depth == depth)
            {
                if (remembers) state.FailTo(0);
                return false;
            }

            ref MatchState.Frame frame = ref state.Top;
            at = frame.Instruction;
            state.FailTo(frame.TrailLength);
            if (frame.Min < 0)
            {
                position = frame.Position;
                state.Pop();
                return true;
            }

            CodePoints.Before(_text, frame.Position, out int length);
            position = frame.Position -= length;
            if (position == frame.Min) state.Pop();
            return true;
        }

        private bool RunLoop(in ExpressionInstruction instruction, ref int at, ref int position)
        {
            int start = position;
            int min = position;
            int count = 0;
            while (count < instruction.B && position < _text.Length && instruction.Set!.Contains(CodePoints.At(_text, position, out int length)))
            {
                position += length;
                if (++count == instruction.A) min = position;
            }

            state.Steps += position - start;
            if (count < instruction.A) return false;
            at++;
            if (position > min) state.Push(new MatchState.Frame { Instruction = at, Position = position, Min = min, TrailLength = state.TrailLength });
            return true;
        }

        private bool RunPossessiveLoop(in ExpressionInstruction instruction, ref int at, ref int position)
        {
            int start = position;
            int count = 0;
            if (state.IsStepwise && instruction.A <= 1 && instruction.B == RepeatNode.Unlimited && state.FindRun(at, position, out int end)) position = end;
            else
            {
                while (count < instruction.B && position < _text.Length && instruction.Set!.Contains(CodePoints.At(_text, position, out int length)))
                {
                    position += length;
                    count++;
                }

                state.Steps += position - start;
                if (count < instruction.A) return false;
                if (state.IsStepwise) state.KeepRun(at, start, position);
            }

            at++;
            return true;
        }

        // Looking around gives 0 or Failed, an atomic group the end of its match or Failed.
        private int RunInner(in ExpressionInstruction instruction, int at, int position)
        {
            int end;
            switch (instruction.Operation)
            {
                case ExpressionOperation.Atomic:
                    return Run(at + 1, position, remembers: false);
                case ExpressionOperation.LookAhead or ExpressionOperation.NegativeLookAhead:
                    end = Run(at + 1, position, remembers: false);
                    break;
                default:
                    int start = position;
                    int missing = instruction.B;
                    for (; missing > 0 && start > 0; missing--)
                    {
                        CodePoints.Before(_text, start, out int length);
                        start -= length;
                    }

                    end = missing > 0 ? Failed : Run(at + 1, start, remembers: false);
                    break;
            }

            if (end == TooLong) return TooLong;
            bool isNegative = instruction.Operation is ExpressionOperation.NegativeLookAhead or ExpressionOperation.NegativeLookBehind;
            return end >= 0 != isNegative ? 0 : Failed;
        }

        private bool IsAt(AnchorKind kind, int position) => kind switch
        {
            AnchorKind.LineStart => position == 0 || _text[position - 1] == '\n',
            AnchorKind.LineEnd => position == _text.Length || _text[position] == '\n',
            AnchorKind.TextStart => position == 0,
            AnchorKind.TextEnd => position == _text.Length,
            AnchorKind.LastLineEnd => position == _text.Length || (position == _text.Length - 1 && _text[position] == '\n'),
            _ => IsWordAt(position) != IsWordBefore(position) == (kind == AnchorKind.WordBoundary),
        };

        private bool IsWordAt(int position) => position < _text.Length && CodePointSets.Word.Contains(CodePoints.At(_text, position, out _));

        private bool IsWordBefore(int position) => position > 0 && CodePointSets.Word.Contains(CodePoints.Before(_text, position, out _));
    }
}
