using System.Diagnostics;
using System.Globalization;
using System.Text;
using TensorCompress.Tokenization;

namespace TensorCompress.Comparison;

/// <summary>Tokens per second of a tokenizer on 100 MB of text that a seeded generator makes of the words and paragraphs of some texts, and its time for a million of the same character.</summary>
internal static class TokenizerSpeed
{
    private const int TextLength = 100_000_000;

    private static readonly (string Name, string Unit)[] Repeated = [("a letter", "a"), ("blanks", " "), ("line feeds", "\n"), ("digits", "7"), ("emoji", "🚀"), ("combining marks", "\u0301")];

    public static void Run(Options options)
    {
        if (options.Tokenizer is null || options.Texts is null) throw new ArgumentException("tokenize needs --tokenizer FILE and --texts FOLDER.");
        Tokenizer tokenizer = TokenizerLoader.Load(options.Tokenizer);
        string text = MakeText(options.Texts);
        var ids = new List<int>(text.Length);
        Console.WriteLine($"{tokenizer.Kind}, {tokenizer.VocabularySize} tokens; {Encoding.UTF8.GetByteCount(text)} bytes of text");
        for (int round = 0; round < (options.Rounds ?? 3); round++)
        {
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            double seconds = Encode(tokenizer, text, ids);
            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{ids.Count} tokens in {seconds:F2} s: {ids.Count / seconds / 1e6:F2} million per second, {allocated} bytes allocated"));
        }

        foreach ((string name, string unit) in Repeated)
        {
            double half = Repeat(tokenizer, unit, 1 << 19, ids);
            double whole = Repeat(tokenizer, unit, 1 << 20, ids);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"2^20 {name}: {whole:F3} s, half of them {half:F3} s"));
        }
    }

    // Half of the paragraphs stand in the texts, the others are of words from anywhere in them.
    private static string MakeText(string folder)
    {
        string[] paragraphs = [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).SelectMany(File.ReadLines).Where(line => line.Length > 20)];
        string[] words = [.. paragraphs.SelectMany(paragraph => paragraph.Split(' ')).Where(word => word.Length > 0).Distinct(StringComparer.Ordinal)];
        var random = new Random(1);
        var text = new StringBuilder(TextLength + 10_000);
        while (text.Length < TextLength)
        {
            if (random.Next(2) == 0) text.Append(paragraphs[random.Next(paragraphs.Length)]);
            else for (int count = random.Next(20, 120); count > 0; count--) text.Append(words[random.Next(words.Length)]).Append(' ');
            text.Append('\n');
        }

        return text.ToString();
    }

    private static double Repeat(Tokenizer tokenizer, string unit, int count, List<int> ids)
    {
        string text = string.Concat(Enumerable.Repeat(unit, count));
        return Enumerable.Range(0, 3).Min(_ => Encode(tokenizer, text, ids));
    }

    private static double Encode(Tokenizer tokenizer, string text, List<int> ids)
    {
        ids.Clear();
        long start = Stopwatch.GetTimestamp();
        tokenizer.Encode(text, ids, new EncodeOptions());
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
