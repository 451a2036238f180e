using System.Diagnostics;
using System.Globalization;
using TensorCompress.Storage;
using TensorCompress.Templates;

namespace TensorCompress.Fuzz;

/// <summary>What many inputs to one target ended in.</summary>
public sealed class FuzzRun
{
    private const long MaxBytes = 64 << 20;
    private const int MaxFaults = 5;
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(1);

    private readonly FuzzTarget _target;

    private FuzzRun(FuzzTarget target)
    {
        _target = target;
    }

    /// <summary>Inputs by what they ended in: <c>accepted</c>, or the kind of error.</summary>
    public SortedDictionary<string, long> Counts { get; } = new(StringComparer.Ordinal);

    /// <summary>What must not be, with the inputs' seeds.</summary>
    public List<string> Faults { get; } = [];

    /// <summary>The inputs that led there.</summary>
    public List<byte[]> FaultyInputs { get; } = [];

    public long Runs { get; private set; }

    public long MostBytes { get; private set; }

    public TimeSpan Longest { get; private set; }

    /// <summary>Share of the inputs that got past the header.</summary>
    public double ShareBeyondHeader => 1 - (Counts.Where(count => _target.HeaderKinds.Contains(count.Key)).Sum(count => count.Value) / (double)Math.Max(1, Runs));

    /// <summary>Runs inputs first, first + 1, ...; each has its own seed, so that any can be repeated alone.</summary>
    /// <param name="target">The parser.</param>
    /// <param name="first">Number of the first input.</param>
    /// <param name="runs">How many.</param>
    public static FuzzRun Of(FuzzTarget target, int first, long runs)
    {
        var run = new FuzzRun(target);
        foreach (byte[] seed in target.Seeds) run.Parse(seed, "a seed"); // also warms the code up
        string unaccepted = string.Join(", ", run.Counts.Keys.Where(kind => kind != "accepted"));
        if (unaccepted.Length > 0) run.Faults.Add($"{target.Name}: a seed is refused: {unaccepted}");
        run.Counts.Clear();
        run.Runs = 0;
        run.Longest = TimeSpan.Zero;
        for (long i = 0; i < runs && run.Faults.Count < MaxFaults; i++)
        {
            int number = unchecked(first + (int)i);
            run.Parse(Input(target, number), string.Create(CultureInfo.InvariantCulture, $"input {number}"));
        }

        return run;
    }

    /// <summary>The input of a number.</summary>
    public static byte[] Input(FuzzTarget target, int number)
    {
        var mutator = new Mutator(number);
        return target.Mutate(mutator, mutator.Pick(target.Seeds));
    }

    /// <summary>What is missing, beside the faults: kinds that were not reached, too few inputs beyond the header.</summary>
    public IEnumerable<string> Gaps()
    {
        if (ShareBeyondHeader < 0.3) yield return string.Create(CultureInfo.InvariantCulture, $"{_target.Name}: only {ShareBeyondHeader:P0} of the inputs get past the header");
        string missing = string.Join(", ", _target.ExpectedKinds.Where(kind => !Counts.ContainsKey(kind)));
        if (missing.Length > 0) yield return $"{_target.Name}: not reached: {missing}";
    }

    /// <summary>One line: counts by kind, share beyond the header, most memory, longest time.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{_target.Name}: {Runs} runs, {ShareBeyondHeader:P0} beyond the header, at most {MostBytes / 1024} KiB and {Longest.TotalMilliseconds:0} ms; {string.Join(", ", Counts.Select(count => $"{count.Key} {count.Value}"))}");

    private void Parse(byte[] input, string name)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        long start = Stopwatch.GetTimestamp();
        string outcome;
        try
        {
            _target.Parse(input);
            outcome = "accepted";
        }
        catch (TensorFormatException fault)
        {
            outcome = fault.Kind.ToString();
        }
        catch (TemplateException fault)
        {
            outcome = fault.Kind.ToString();
        }
        catch (Exception fault) // whatever else comes out is what is looked for
        {
            outcome = fault.GetType().Name;
            Fault(input, $"{_target.Name}, {name}: {fault}");
        }

        TimeSpan time = Stopwatch.GetElapsedTime(start);
        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        if (time > MaxTime && IsSlowAgain(input)) Fault(input, $"{_target.Name}, {name}: {time.TotalSeconds:0.0} s");
        if (bytes > MaxBytes + (2L * input.Length)) Fault(input, $"{_target.Name}, {name}: {bytes} bytes for a file of {input.Length}");
        Runs++;
        Counts[outcome] = Counts.GetValueOrDefault(outcome) + 1;
        MostBytes = Math.Max(MostBytes, bytes);
        if (time > Longest) Longest = time;
    }

    // A busy machine stops any process for a second now and then, but hardly three times for the same input.
    private bool IsSlowAgain(byte[] input)
    {
        for (int attempt = 0; attempt < 2; attempt++)
        {
            long start = Stopwatch.GetTimestamp();
            try
            {
                _target.Parse(input);
            }
            catch (Exception)
            {
                // Counted at the first time.
            }

            if (Stopwatch.GetElapsedTime(start) < MaxTime) return false;
        }

        return true;
    }

    private void Fault(byte[] input, string what)
    {
        Faults.Add(what);
        FaultyInputs.Add(input);
    }
}
