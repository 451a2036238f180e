using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Expressions;

/// <summary>What one instruction does.</summary>
internal enum ExpressionOperation : byte
{
    /// <summary>Takes one character of the set.</summary>
    Set,

    /// <summary>Takes characters of the set, from <c>A</c> to <c>B</c>, as many as possible; gives some back where the rest demands it.</summary>
    Loop,

    /// <summary>The same without giving back.</summary>
    PossessiveLoop,

    /// <summary>Goes on at <c>A</c>, and where that fails at <c>B</c>.</summary>
    Split,

    /// <summary>Goes on at <c>A</c>.</summary>
    Jump,

    /// <summary>The program that follows must match here; goes on at <c>A</c>, at the same place.</summary>
    LookAhead,

    /// <summary>The program that follows must not match here; goes on at <c>A</c>.</summary>
    NegativeLookAhead,

    /// <summary>The program that follows must match the <c>B</c> characters before; goes on at <c>A</c>.</summary>
    LookBehind,

    /// <summary>The program that follows must not match the <c>B</c> characters before; goes on at <c>A</c>.</summary>
    NegativeLookBehind,

    /// <summary>The program that follows must match, its first match is final; goes on at <c>A</c>, behind it.</summary>
    Atomic,

    /// <summary>The place must be of the <see cref="AnchorKind"/> <c>A</c>.</summary>
    Anchor,

    /// <summary>The program has matched.</summary>
    Accept,
}

/// <summary>One instruction; see <see cref="ExpressionOperation"/>.</summary>
internal readonly record struct ExpressionInstruction(ExpressionOperation Operation, int A = 0, int B = 0, CodePointSet? Set = null);

/// <summary>Instructions of an expression. In its plain form a repeated set is one instruction; in its stepwise form it is a loop, whose every state can be remembered.</summary>
internal sealed class ExpressionProgram
{
    private const int MaxInstructions = 20_000;

    private readonly List<ExpressionInstruction> _instructions = [];
    private readonly bool _isStepwise;

    public ExpressionProgram(ExpressionNode root, bool isStepwise)
    {
        _isStepwise = isStepwise;
        IReadOnlyList<ExpressionNode> choices = root is ChoiceNode choice ? choice.Choices : [root];
        Entries = new int[choices.Count];
        for (int i = 0; i < choices.Count; i++)
        {
            Entries[i] = _instructions.Count;
            Emit(choices[i]);
            Add(new ExpressionInstruction(ExpressionOperation.Accept));
        }

        Instructions = [.. _instructions];
    }

    public ExpressionInstruction[] Instructions { get; }

    /// <summary>Where each of the choices of the whole begins.</summary>
    public int[] Entries { get; }

    private int Add(ExpressionInstruction instruction)
    {
        if (_instructions.Count == MaxInstructions) throw new NotSupportedException($"an expression of more than {MaxInstructions} instructions");
        _instructions.Add(instruction);
        return _instructions.Count - 1;
    }

    private void Emit(ExpressionNode node)
    {
        switch (node)
        {
            case SetNode set:
                Add(new ExpressionInstruction(ExpressionOperation.Set, Set: set.Set));
                break;
            case SequenceNode sequence:
                foreach (ExpressionNode part in sequence.Parts) Emit(part);
                break;
            case ChoiceNode choice:
                EmitChoice(choice);
                break;
            case RepeatNode repeat:
                EmitRepeat(repeat);
                break;
            case AtomicNode atomic:
                EmitInner(ExpressionOperation.Atomic, atomic.Body);
                break;
            case LookNode { IsBehind: false } look:
                EmitInner(look.IsNegative ? ExpressionOperation.NegativeLookAhead : ExpressionOperation.LookAhead, look.Body);
                break;
            case LookNode look:
                int length = FixedLength(look.Body) ?? throw new NotSupportedException("looking behind for what has no fixed length");
                EmitInner(look.IsNegative ? ExpressionOperation.NegativeLookBehind : ExpressionOperation.LookBehind, look.Body, length);
                break;
            case AnchorNode anchor:
                Add(new ExpressionInstruction(ExpressionOperation.Anchor, (int)anchor.Kind));
                break;
        }
    }

    private void EmitChoice(ChoiceNode choice)
    {
        var ends = new List<int>();
        for (int i = 0; i < choice.Choices.Count; i++)
        {
            bool isLast = i == choice.Choices.Count - 1;
            int split = isLast ? -1 : Add(default);
            Emit(choice.Choices[i]);
            if (isLast) break;
            ends.Add(Add(default));
            _instructions[split] = new ExpressionInstruction(ExpressionOperation.Split, split + 1, _instructions.Count);
        }

        foreach (int end in ends) _instructions[end] = new ExpressionInstruction(ExpressionOperation.Jump, _instructions.Count);
    }

    private void EmitInner(ExpressionOperation operation, ExpressionNode body, int length = 0)
    {
        int start = Add(default);
        Emit(body);
        Add(new ExpressionInstruction(ExpressionOperation.Accept));
        _instructions[start] = new ExpressionInstruction(operation, _instructions.Count, length);
    }

    private void EmitRepeat(RepeatNode repeat)
    {
        if (repeat.Body is SetNode set && repeat.Kind == RepeatKind.Possessive) Add(new ExpressionInstruction(ExpressionOperation.PossessiveLoop, repeat.Min, repeat.Max, set.Set));
        else if (repeat.Kind == RepeatKind.Possessive) EmitInner(ExpressionOperation.Atomic, repeat with { Kind = RepeatKind.Greedy });
        else if (repeat.Body is SetNode plain && repeat.Kind == RepeatKind.Greedy && !_isStepwise) Add(new ExpressionInstruction(ExpressionOperation.Loop, repeat.Min, repeat.Max, plain.Set));
        else EmitLoop(repeat);
    }

    private void EmitLoop(RepeatNode repeat)
    {
        for (int i = 0; i < repeat.Min; i++) Emit(repeat.Body);
        bool isLazy = repeat.Kind == RepeatKind.Lazy;
        if (repeat.Max == RepeatNode.Unlimited)
        {
            int split = Add(default);
            Emit(repeat.Body);
            Add(new ExpressionInstruction(ExpressionOperation.Jump, split));
            _instructions[split] = Split(split + 1, _instructions.Count, isLazy);
            return;
        }

        var splits = new List<int>();
        for (int i = repeat.Min; i < repeat.Max; i++)
        {
            splits.Add(Add(default));
            Emit(repeat.Body);
        }

        foreach (int split in splits) _instructions[split] = Split(split + 1, _instructions.Count, isLazy);
    }

    private static ExpressionInstruction Split(int body, int rest, bool isLazy) =>
        isLazy ? new ExpressionInstruction(ExpressionOperation.Split, rest, body) : new ExpressionInstruction(ExpressionOperation.Split, body, rest);

    // In code points; null where it varies.
    private static int? FixedLength(ExpressionNode node) => node switch
    {
        SetNode => 1,
        SequenceNode sequence => sequence.Parts.Aggregate((int?)0, static (sum, part) => sum + FixedLength(part)),
        ChoiceNode choice => choice.Choices.Select(FixedLength).Distinct().ToArray() is [int only] ? only : null,
        RepeatNode repeat when repeat.Min == repeat.Max => repeat.Min * FixedLength(repeat.Body),
        AtomicNode atomic => FixedLength(atomic.Body),
        AnchorNode or LookNode => 0,
        _ => null,
    };
}
