using System.Numerics;
using TensorCompress.Templates.Library;
using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Execution;

/// <summary>Attributes, items and slices of values.</summary>
internal static class Access
{
    /// <summary><c>target.name</c>: the attribute, else the item of that name.</summary>
    public static Value Attribute(RenderContext context, Value target, string name)
    {
        if (target is UndefinedValue undefined) throw new TemplateException(TemplateErrorKind.Undefined, undefined.Reason);
        if (MethodList.IsForbidden(target, name)) return new UndefinedValue($"'{name}' of a value of type {target.TypeName} is not for templates");
        return target.Attribute(name) ?? (target as DictValue)?.Find(new TextValue(name)) ?? Missing(target, name);
    }

    /// <summary><c>target[key]</c>: the item, else the attribute of that name.</summary>
    public static Value Item(RenderContext context, Value target, Value key)
    {
        if (target is UndefinedValue undefined) throw new TemplateException(TemplateErrorKind.Undefined, undefined.Reason);
        if (target is DictValue dict)
        {
            if (key is TextValue text) context.Scan(text.Text.Length);
            if (dict.Find(key) is Value found) return found;
        }
        else if (Numbers.Whole(key) is BigInteger index && IndexedItem(context, target, index) is Value item)
        {
            return item;
        }

        if (key is not TextValue name) return new UndefinedValue($"a value of type {target.TypeName} has no item {Describe(context, key)}");
        if (MethodList.IsForbidden(target, name.Text)) return new UndefinedValue($"'{name.Text}' of a value of type {target.TypeName} is not for templates");
        return target.Attribute(name.Text) ?? Missing(target, name.Text);
    }

    /// <summary><c>target[start:stop:step]</c></summary>
    public static Value Slice(RenderContext context, Value target, Value? start, Value? stop, Value? step)
    {
        if (target is UndefinedValue undefined) throw new TemplateException(TemplateErrorKind.Undefined, undefined.Reason);
        if (target is not (TextValue or SequenceValue)) throw new TemplateException(TemplateErrorKind.Value, $"a value of type {target.TypeName} has no slices");
        if (target is TextValue text) context.Scan(text.Text.Length);
        int length = target.Length!.Value;
        if (Bound(step) is 0) throw new TemplateException(TemplateErrorKind.Value, "the step of a slice is 0");
        int by = Bound(step) ?? 1;
        // A step beyond the text takes one item, whatever its size.
        by = Math.Clamp(by, -length - 1, length + 1);
        int first = Place(Bound(start), length, by > 0 ? 0 : length - 1, by < 0);
        int end = Place(Bound(stop), length, by > 0 ? length : -1, by < 0);
        int count = by > 0 ? (end - first + by - 1) / by : (first - end - by - 1) / -by;
        count = Math.Max(0, count);
        if (target is TextValue characters)
        {
            context.AllocateText(count * 2L);
            if (Math.Abs(by) != 1 || characters.CodePoints != characters.Text.Length) context.Allocate(characters.Text.Length * 4L);
            return new TextValue(characters.Slice(first, by, count));
        }

        var sequence = (SequenceValue)target;
        context.AllocateItems(count);
        var items = new Value[count];
        for (int i = 0; i < count; i++) items[i] = sequence[first + (i * by)];
        return sequence.With(items);
    }

    private static int? Bound(Value? value)
    {
        if (value is null or NoneValue) return null;
        return Numbers.Whole(value) is BigInteger number ? Numbers.Clamp(number) : throw new TemplateException(TemplateErrorKind.Value, $"a slice takes whole numbers, not a value of type {value.TypeName}");
    }

    // Negative places count from the end; all are moved to where the text is.
    private static int Place(int? given, int length, int other, bool isBackwards)
    {
        if (given is not int place) return other;
        long counted = place < 0 ? (long)place + length : place;
        int least = isBackwards ? -1 : 0, most = isBackwards ? length - 1 : length;
        return (int)Math.Clamp(counted, least, Math.Max(least, most));
    }

    private static Value? IndexedItem(RenderContext context, Value target, BigInteger index)
    {
        if (target is not (TextValue or SequenceValue)) return null;
        int length = target.Length!.Value;
        if (index.Sign < 0) index += length;
        if (index.Sign < 0 || index >= length) return null;
        if (target is SequenceValue sequence) return sequence[(int)index];
        var text = (TextValue)target;
        if (text.CodePoints == text.Text.Length) return TextValue.Character(text.Text[(int)index]);
        context.Scan(text.Text.Length * 8L);
        return new TextValue(text.Slice((int)index, 1, 1));
    }

    private static UndefinedValue Missing(Value target, string name) => new($"a value of type {target.TypeName} has no '{name}'");

    private static string Describe(RenderContext context, Value key) => key is IntegerValue or BooleanValue or FloatValue or NoneValue ? PythonText.Of(context, key) : "of type " + key.TypeName;
}
