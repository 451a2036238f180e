using System.Numerics;

namespace TensorCompress.Templates.Values;

internal sealed class BooleanValue : Value
{
    private BooleanValue(bool isTrue)
    {
        IsTruthy = isTrue;
    }

    public static BooleanValue True { get; } = new(true);

    public static BooleanValue False { get; } = new(false);

    public override string TypeName => "bool";

    public override bool IsTruthy { get; }

    public static BooleanValue Of(bool value) => value ? True : False;
}

/// <summary>A whole number of any size, up to a bound that the operations keep.</summary>
internal sealed class IntegerValue : Value
{
    private const int Smallest = -16;
    private static readonly IntegerValue[] Small = [.. Enumerable.Range(Smallest, 1024).Select(value => new IntegerValue(value))];

    private IntegerValue(BigInteger number)
    {
        Number = number;
    }

    public BigInteger Number { get; }

    public override string TypeName => "int";

    public override bool IsTruthy => !Number.IsZero;

    public static IntegerValue Of(BigInteger number) =>
        number >= Smallest && number < Smallest + Small.Length ? Small[(int)number - Smallest] : new IntegerValue(number);
}

internal sealed class FloatValue(double number) : Value
{
    public double Number { get; } = number;

    public override string TypeName => "float";

    public override bool IsTruthy => Number != 0;
}
