using TensorCompress.Templates.Values;

namespace TensorCompress.Templates.Execution;

/// <summary>One rendering: its clock, and what it has used of its bounds. Whatever costs time or memory is charged here first.</summary>
internal sealed class RenderContext(TemplateLimits limits, TimeProvider clock)
{
    private const int CharactersPerStep = 256;
    private const int BytesPerValue = 40;

    private long _steps;
    private long _bytes;
    private int _calls;

    public TemplateLimits Limits => limits;

    public TimeProvider Clock => clock;

    /// <summary>Charges work.</summary>
    public void Step(long steps = 1)
    {
        _steps += steps;
        if (_steps > limits.Steps || steps < 0) throw Limit($"the template takes more than {limits.Steps} steps");
    }

    /// <summary>Charges a look at text.</summary>
    public void Scan(long characters) => Step(1 + (characters / CharactersPerStep));

    /// <summary>Charges a search for one text in another: in the worst case each character is compared at each place.</summary>
    public void Search(int length, int sought) => Step(1 + (length / CharactersPerStep) + ((long)length * sought / 4096));

    /// <summary>Charges memory, before it is taken.</summary>
    public void Allocate(long bytes)
    {
        _bytes += bytes;
        if (_bytes > limits.WorkingBytes || bytes < 0) throw Limit($"the template makes more than {limits.WorkingBytes} bytes of text and lists");
    }

    /// <summary>Charges the memory of a text, before it is made.</summary>
    public void AllocateText(long characters) => Allocate((characters * 2) + BytesPerValue);

    /// <summary>Charges the memory of a list, before it is made.</summary>
    public void AllocateItems(long count)
    {
        Step(1 + (count / 8));
        Allocate((count * 8) + BytesPerValue);
    }

    /// <summary>A text, charged.</summary>
    public TextValue Text(string text)
    {
        AllocateText(text.Length);
        return new TextValue(text);
    }

    /// <summary>The items of anything that can be iterated; each is charged as it comes.</summary>
    /// <exception cref="TemplateException">The value cannot be iterated.</exception>
    public IEnumerable<Value> Iterate(Value value)
    {
        IEnumerable<Value> items = value.Items ?? throw new TemplateException(TemplateErrorKind.Value, $"a value of type {value.TypeName} cannot be iterated");
        return Charged(items);
    }

    /// <summary>The items as a list of its own.</summary>
    public List<Value> ToList(Value value)
    {
        if (value.Length is int length) AllocateItems(length);
        List<Value> items = value.Length is int count ? new(count) : [];
        foreach (Value item in Iterate(value))
        {
            if (value.Length is null) Allocate(16);
            items.Add(item);
        }

        return items;
    }

    /// <summary>Begins a call within a call; <see cref="LeaveCall"/> ends it.</summary>
    public void EnterCall()
    {
        Step();
        if (++_calls > limits.CallDepth) throw Limit($"more than {limits.CallDepth} calls within each other");
    }

    public void LeaveCall() => _calls--;

    public static TemplateException Limit(string reason) => new(TemplateErrorKind.Limit, reason);

    private IEnumerable<Value> Charged(IEnumerable<Value> items)
    {
        foreach (Value item in items)
        {
            Step();
            if (item is TextValue) Allocate(BytesPerValue);
            yield return item;
        }
    }
}
