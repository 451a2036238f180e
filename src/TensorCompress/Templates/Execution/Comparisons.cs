using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Execution;

/// <summary>Equality, order and membership of values.</summary>
internal static class Comparisons
{
    private const int MaxDepth = 200;

    public static bool AreEqual(RenderContext context, Value left, Value right, int depth = 0)
    {
        if (ReferenceEquals(left, right)) return true;
        context.Step();
        if (depth > MaxDepth) throw RenderContext.Limit($"values nested deeper than {MaxDepth} levels");
        switch (left, right)
        {
            case (TextValue a, TextValue b):
                context.Scan(Math.Min(a.Text.Length, b.Text.Length));
                return a.Text == b.Text;
            case (UndefinedValue, UndefinedValue):
                return true;
            case (ListValue, ListValue) or (TupleValue, TupleValue) or (RangeValue, RangeValue):
                return AreItemsEqual(context, (SequenceValue)left, (SequenceValue)right, depth);
            case (DictValue a, DictValue b):
                if (a.Count != b.Count) return false;
                foreach ((Value key, Value value) in a.Pairs)
                {
                    if (!b.Pairs.TryGetValue(key, out Value? other) || !AreEqual(context, value, other, depth + 1)) return false;
                }

                return true;
            default:
                return Numbers.AreEqual(left, right) ?? false;
        }
    }

    /// <summary>Negative, 0 or positive; null for NaN.</summary>
    /// <exception cref="TemplateException">The two have no order.</exception>
    public static int? Compare(RenderContext context, Value left, Value right, int depth = 0)
    {
        context.Step();
        if (depth > MaxDepth) throw RenderContext.Limit($"values nested deeper than {MaxDepth} levels");
        if (left is TextValue a && right is TextValue b)
        {
            context.Scan(Math.Min(a.Text.Length, b.Text.Length));
            return CompareCodePoints(a.Text, b.Text);
        }

        if ((left is ListValue && right is ListValue) || (left is TupleValue && right is TupleValue)) return CompareItems(context, (SequenceValue)left, (SequenceValue)right, depth);
        if (Numbers.Is(left) && Numbers.Is(right)) return Numbers.Compare(left, right);
        UndefinedValue? undefined = left as UndefinedValue ?? right as UndefinedValue;
        throw undefined is not null
            ? new TemplateException(TemplateErrorKind.Undefined, undefined.Reason)
            : new TemplateException(TemplateErrorKind.Value, $"values of type {left.TypeName} and {right.TypeName} have no order");
    }

    /// <summary>Whether a container has an item, a dict a key, or a text a part.</summary>
    public static bool Contains(RenderContext context, Value container, Value item)
    {
        switch (container)
        {
            case TextValue text:
                if (item is not TextValue part) throw new TemplateException(TemplateErrorKind.Value, $"a text can contain text, not a value of type {item.TypeName}");
                context.Search(text.Text.Length, part.Text.Length);
                return text.Text.Contains(part.Text, StringComparison.Ordinal);
            case DictValue dict:
                if (item is TextValue key) context.Scan(key.Text.Length);
                KeyComparer.ThrowIfNoKey(item);
                return dict.Find(item) is not null;
            default:
                foreach (Value candidate in context.Iterate(container))
                {
                    if (AreEqual(context, candidate, item)) return true;
                }

                return false;
        }
    }

    private static bool AreItemsEqual(RenderContext context, SequenceValue left, SequenceValue right, int depth)
    {
        if (left.Count != right.Count) return false;
        for (int i = 0; i < left.Count; i++)
        {
            if (!AreEqual(context, left[i], right[i], depth + 1)) return false;
        }

        return true;
    }

    private static int? CompareItems(RenderContext context, SequenceValue left, SequenceValue right, int depth)
    {
        for (int i = 0; i < Math.Min(left.Count, right.Count); i++)
        {
            if (!AreEqual(context, left[i], right[i], depth + 1)) return Compare(context, left[i], right[i], depth + 1);
        }

        return left.Count.CompareTo(right.Count);
    }

    // UTF-16 order but for surrogates, which stand for code points above all others.
    private static int CompareCodePoints(string left, string right)
    {
        int common = left.AsSpan().CommonPrefixLength(right);
        if (common == left.Length || common == right.Length) return left.Length.CompareTo(right.Length);
        char a = left[common], b = right[common];
        bool isHigh = char.IsSurrogate(a);
        return isHigh == char.IsSurrogate(b) ? a.CompareTo(b) : isHigh ? 1 : -1;
    }
}
