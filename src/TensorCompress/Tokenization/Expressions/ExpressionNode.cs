using TensorCompress.Tokenization.Unicode;

namespace TensorCompress.Tokenization.Expressions;

/// <summary>A part of a regular expression over code points.</summary>
internal abstract record ExpressionNode
{
    /// <summary>Whether it can match without taking a character.</summary>
    public abstract bool CanBeEmpty { get; }

    /// <summary>Code points that its first character may be (a superset); where it can be empty, what follows it counts too.</summary>
    public abstract CodePointSet First { get; }
}

/// <summary>One character of a set.</summary>
internal sealed record SetNode(CodePointSet Set) : ExpressionNode
{
    public override bool CanBeEmpty => false;

    public override CodePointSet First => Set;
}

/// <summary>One part after the other.</summary>
internal sealed record SequenceNode(IReadOnlyList<ExpressionNode> Parts) : ExpressionNode
{
    public override bool CanBeEmpty => Parts.All(part => part.CanBeEmpty);

    public override CodePointSet First
    {
        get
        {
            CodePointSet first = CodePointSet.Empty;
            foreach (ExpressionNode part in Parts)
            {
                first = first.Union(part.First);
                if (!part.CanBeEmpty) break;
            }

            return first;
        }
    }
}

/// <summary>The first of several that lets the whole match.</summary>
internal sealed record ChoiceNode(IReadOnlyList<ExpressionNode> Choices) : ExpressionNode
{
    public override bool CanBeEmpty => Choices.Any(choice => choice.CanBeEmpty);

    public override CodePointSet First => Choices.Select(choice => choice.First).Aggregate(CodePointSet.Empty, static (left, right) => left.Union(right));
}

/// <summary>How often a repetition prefers to repeat.</summary>
internal enum RepeatKind
{
    /// <summary>As often as possible, less where the rest demands it.</summary>
    Greedy,

    /// <summary>As rarely as possible.</summary>
    Lazy,

    /// <summary>As often as possible, never less.</summary>
    Possessive,
}

/// <summary>A part several times; <see cref="Unlimited"/> is no upper bound.</summary>
internal sealed record RepeatNode(ExpressionNode Body, int Min, int Max, RepeatKind Kind) : ExpressionNode
{
    public const int Unlimited = int.MaxValue;

    public override bool CanBeEmpty => Min == 0 || Body.CanBeEmpty;

    public override CodePointSet First => Body.First;
}

/// <summary>What must or must not follow or precede.</summary>
internal sealed record LookNode(ExpressionNode Body, bool IsBehind, bool IsNegative) : ExpressionNode
{
    public override bool CanBeEmpty => true;

    public override CodePointSet First => CodePointSet.Empty;
}

/// <summary>A part whose first match is final.</summary>
internal sealed record AtomicNode(ExpressionNode Body) : ExpressionNode
{
    public override bool CanBeEmpty => Body.CanBeEmpty;

    public override CodePointSet First => Body.First;
}

/// <summary>A place in the text.</summary>
internal enum AnchorKind
{
    /// <summary><c>^</c>: the beginning, and after every line feed.</summary>
    LineStart,

    /// <summary><c>$</c>: the end, and before every line feed.</summary>
    LineEnd,

    /// <summary><c>\A</c>.</summary>
    TextStart,

    /// <summary><c>\z</c>.</summary>
    TextEnd,

    /// <summary><c>\Z</c>: the end, or before a line feed there.</summary>
    LastLineEnd,

    /// <summary><c>\b</c>.</summary>
    WordBoundary,

    /// <summary><c>\B</c>.</summary>
    NoWordBoundary,
}

/// <summary>A condition on the place.</summary>
internal sealed record AnchorNode(AnchorKind Kind) : ExpressionNode
{
    public override bool CanBeEmpty => true;

    public override CodePointSet First => CodePointSet.Empty;
}
