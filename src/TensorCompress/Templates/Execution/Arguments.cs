using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Execution;

/// <summary>Arguments of a call, evaluated.</summary>
internal sealed record Arguments(IReadOnlyList<Value> Positional, IReadOnlyList<KeyValuePair<string, Value>> Named)
{
    public static Arguments None { get; } = new([], []);

    public static Arguments Of(params IReadOnlyList<Value> positional) => new(positional, []);

    /// <summary>The arguments after the first ones.</summary>
    public Arguments Skip(int count) => new([.. Positional.Skip(count)], Named);
}

/// <summary>Arguments put in the places of a function's parameters.</summary>
internal readonly struct BoundArguments
{
    private readonly string _function;
    private readonly string[] _parameters;
    private readonly Value?[] _values;

    /// <exception cref="TemplateException">Too many arguments, an unknown name, or one given twice.</exception>
    public BoundArguments(string function, string[] parameters, Arguments arguments)
    {
        _function = function;
        _parameters = parameters;
        _values = parameters.Length == 0 ? [] : new Value?[parameters.Length];
        if (arguments.Positional.Count > parameters.Length)
            throw Fault($"{function} takes at most {parameters.Length} arguments, not {arguments.Positional.Count}");
        for (int i = 0; i < arguments.Positional.Count; i++) _values[i] = arguments.Positional[i];
        foreach ((string name, Value value) in arguments.Named)
        {
            int place = Array.IndexOf(parameters, name);
            if (place < 0) throw Fault($"{function} has no argument named {name}");
            if (_values[place] is not null) throw Fault($"{function} is given {name} twice");
            _values[place] = value;
        }
    }

    /// <summary>An argument; null where it is not given.</summary>
    public Value? this[int place] => _values[place];

    public Value Required(int place) => _values[place] ?? throw Fault($"{_function} needs {_parameters[place]}");

    public Value Optional(int place, Value other) => _values[place] ?? other;

    /// <summary>A flag; false where it is not given.</summary>
    public bool Flag(int place) => _values[place]?.IsTruthy ?? false;

    /// <summary>A whole number; the other one where it is not given, or none.</summary>
    public int Whole(int place, int other) => _values[place] switch
    {
        null or NoneValue => other,
        Value value => Numbers.Whole(value) is System.Numerics.BigInteger number ? Numbers.Clamp(number) : throw Fault($"{_function} takes a whole number as {_parameters[place]}, not {value.TypeName}"),
    };

    /// <summary>A text; null where it is not given, or none.</summary>
    public string? Text(int place) => _values[place] switch
    {
        null or NoneValue => null,
        TextValue text => text.Text,
        Value value => throw Fault($"{_function} takes a text as {_parameters[place]}, not {value.TypeName}"),
    };

    public string RequiredText(int place) => Text(place) ?? throw Fault($"{_function} needs a text as {_parameters[place]}");

    private static TemplateException Fault(string reason) => new(TemplateErrorKind.Value, reason);
}
