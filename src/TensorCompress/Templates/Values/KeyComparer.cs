using System.Numerics;

namespace TensorCompress.Templates.Values;

/// <summary>Equality of the keys of dicts: texts, numbers (1, 1.0 and true are one key), none, and tuples of these.</summary>
internal sealed class KeyComparer : IEqualityComparer<Value>
{
    private const int MaxTupleKey = 64;

    private KeyComparer()
    {
    }

    public static KeyComparer Instance { get; } = new();

    public static bool IsKey(Value value) => IsPlain(value) || (value is TupleValue { Count: <= MaxTupleKey } tuple && tuple.Items.All(IsPlain));

    public static void ThrowIfNoKey(Value value)
    {
        if (!IsKey(value)) throw new TemplateException(TemplateErrorKind.Value, $"a value of type {value.TypeName} cannot be a key");
    }

    public bool Equals(Value? x, Value? y) => (x, y) switch
    {
        (TextValue a, TextValue b) => a.Text == b.Text,
        (NoneValue, NoneValue) => true,
        (TupleValue a, TupleValue b) => a.Items.SequenceEqual(b.Items, this),
        (not null, not null) => Numbers.AreEqual(x, y) == true,
        _ => ReferenceEquals(x, y),
    };

    public int GetHashCode(Value value) => value switch
    {
        TextValue text => text.Text.GetHashCode(StringComparison.Ordinal),
        BooleanValue boolean => (boolean.IsTruthy ? BigInteger.One : BigInteger.Zero).GetHashCode(),
        IntegerValue integer => integer.Number.GetHashCode(),
        FloatValue number => double.IsFinite(number.Number) && Math.Floor(number.Number) == number.Number ? new BigInteger(number.Number).GetHashCode() : number.Number.GetHashCode(),
        TupleValue tuple => tuple.Items.Aggregate(tuple.Count, (hash, item) => HashCode.Combine(hash, GetHashCode(item))),
        _ => 0,
    };

    private static bool IsPlain(Value value) => value is TextValue or NoneValue or BooleanValue or IntegerValue or FloatValue;
}
