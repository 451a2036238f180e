using System.Globalization;

namespace TensorCompress.Tokenization.Unicode;

/// <summary>The four normalisation forms. .NET's own do nothing where the application runs with invariant globalisation, and otherwise depend on the system: these are the same everywhere.</summary>
internal sealed class NormalizationForms
{
    private const int HangulBase = 0xAC00;
    private const int LeadBase = 0x1100;
    private const int VowelBase = 0x1161;
    private const int TailBase = 0x11A7;
    private const int LeadCount = 19;
    private const int VowelCount = 21;
    private const int TailCount = 28;
    private const int SyllableCount = LeadCount * VowelCount * TailCount;

    private static readonly Lazy<NormalizationForms> Shared = new(() => new NormalizationForms());

    private readonly Dictionary<int, byte> _combiningClass = [];
    private readonly Dictionary<int, int[]> _canonical = [];
    private readonly Dictionary<int, int[]> _compatible = [];
    private readonly Dictionary<(int First, int Second), int> _composed = [];

    private NormalizationForms()
    {
        const string Resource = "TensorCompress.Tokenization.Unicode.NormalizationData.txt";
        using Stream stream = typeof(NormalizationForms).Assembly.GetManifestResourceStream(Resource) ?? throw new InvalidOperationException($"The resource {Resource} is missing.");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is string line)
        {
            if (line.StartsWith('#')) continue;
            string[] fields = line.Split(' ');
            int codePoint = int.Parse(fields[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            byte combiningClass = byte.Parse(fields[1], CultureInfo.InvariantCulture);
            if (combiningClass != 0) _combiningClass.Add(codePoint, combiningClass);
            if (fields.Length < 3) continue;
            int[] parts = [.. fields.Skip(3).Select(field => int.Parse(field, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))];
            (fields[2] == "~" ? _compatible : _canonical).Add(codePoint, parts);
            if (fields[2] == "=") _composed.Add((parts[0], parts[1]), codePoint);
        }
    }

    /// <summary>Appends the normal form of a well-formed text, or says that the text is it already.</summary>
    /// <returns>Whether anything was appended; where not, the text stands as it is.</returns>
    public static bool Normalize(ReadOnlySpan<char> text, bool isCompatible, bool composes, TextBuffer result)
    {
        // NFC changes nothing below the combining marks, the others nothing in ASCII.
        char first = composes && !isCompatible ? '\u0300' : '\u0080';
        int at = text.IndexOfAnyInRange(first, char.MaxValue);
        if (at < 0) return false;
        NormalizationForms forms = Shared.Value;
        var codePoints = new List<int>();
        int copied = 0;
        while (at >= 0)
        {
            // From the starter before, which a mark can change, to the next character of ASCII, which nothing before changes.
            int start = Math.Max(copied, at - 1);
            int length = text[at..].IndexOfAnyInRange('\0', '\u007F');
            int end = length < 0 ? text.Length : at + length;
            while (start > copied && text[start] >= '\u0080') start--;
            result.Append(text[copied..start]);
            forms.NormalizeSegment(text[start..end], isCompatible, composes, codePoints, result);
            copied = end;
            int next = text[end..].IndexOfAnyInRange(first, char.MaxValue);
            at = next < 0 ? -1 : end + next;
        }

        result.Append(text[copied..]);
        return true;
    }

    private void NormalizeSegment(ReadOnlySpan<char> text, bool isCompatible, bool composes, List<int> codePoints, TextBuffer result)
    {
        codePoints.Clear();
        for (int i = 0; i < text.Length;)
        {
            Decompose(CodePoints.At(text, i, out int length), isCompatible, codePoints);
            i += length;
        }

        Order(codePoints);
        if (composes) Compose(codePoints);
        foreach (int codePoint in codePoints) result.AppendCodePoint(codePoint);
    }

    private void Decompose(int codePoint, bool isCompatible, List<int> codePoints)
    {
        if ((uint)(codePoint - HangulBase) < SyllableCount)
        {
            int syllable = codePoint - HangulBase;
            codePoints.Add(LeadBase + syllable / (VowelCount * TailCount));
            codePoints.Add(VowelBase + syllable % (VowelCount * TailCount) / TailCount);
            if (syllable % TailCount != 0) codePoints.Add(TailBase + syllable % TailCount);
            return;
        }

        if (_canonical.TryGetValue(codePoint, out int[]? parts) || (isCompatible && _compatible.TryGetValue(codePoint, out parts)))
        {
            foreach (int part in parts) Decompose(part, isCompatible, codePoints);
        }
        else codePoints.Add(codePoint);
    }

    private byte Class(int codePoint) => codePoint < 0x300 ? (byte)0 : _combiningClass.GetValueOrDefault(codePoint);

    // Each run of marks by its combining classes, stable: the index is the lower part of the key.
    private void Order(List<int> codePoints)
    {
        for (int start = 0; start < codePoints.Count; start++)
        {
            if (Class(codePoints[start]) == 0) continue;
            int end = start + 1;
            bool isOrdered = true;
            for (; end < codePoints.Count && Class(codePoints[end]) is byte next and > 0; end++) isOrdered &= Class(codePoints[end - 1]) <= next;
            if (!isOrdered)
            {
                long[] keys = [.. Enumerable.Range(start, end - start).Select(i => (long)Class(codePoints[i]) << 32 | (uint)i)];
                int[] run = [.. codePoints.Skip(start).Take(end - start)];
                Array.Sort(keys, run);
                for (int i = 0; i < run.Length; i++) codePoints[start + i] = run[i];
            }

            start = end - 1;
        }
    }

    private void Compose(List<int> codePoints)
    {
        int count = 0;
        int starter = -1;
        int lastClass = -1; // of what stands between the starter and the next code point; -1: nothing
        for (int i = 0; i < codePoints.Count; i++)
        {
            int codePoint = codePoints[i];
            int combiningClass = Class(codePoint);
            if (starter >= 0 && lastClass < combiningClass && Composed(codePoints[starter], codePoint) is int composed and >= 0)
            {
                codePoints[starter] = composed;
                continue;
            }

            if (combiningClass == 0)
            {
                starter = count;
                lastClass = -1;
            }
            else lastClass = combiningClass;
            codePoints[count++] = codePoint;
        }

        codePoints.RemoveRange(count, codePoints.Count - count);
    }

    private int Composed(int first, int second)
    {
        if ((uint)(first - LeadBase) < LeadCount && (uint)(second - VowelBase) < VowelCount)
            return HangulBase + ((first - LeadBase) * VowelCount + (second - VowelBase)) * TailCount;
        if ((uint)(first - HangulBase) < SyllableCount && (first - HangulBase) % TailCount == 0 && second > TailBase && second < TailBase + TailCount)
            return first + (second - TailBase);
        return _composed.TryGetValue((first, second), out int composed) ? composed : -1;
    }
}
