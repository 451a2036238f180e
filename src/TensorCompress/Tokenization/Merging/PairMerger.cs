using System.Buffers;

namespace TensorCompress.Tokenization.Merging;

/// <summary>Says which neighbouring symbols become one, and which of several pairs goes first.</summary>
internal interface IMergeRules
{
    /// <summary>Looks up a pair.</summary>
    /// <param name="left">Id of the left symbol.</param>
    /// <param name="right">Id of the right symbol.</param>
    /// <param name="priority">The pair of the smallest value is merged first, the leftmost of equals.</param>
    /// <param name="merged">Id of the symbol that takes the place of both.</param>
    bool TryMerge(int left, int right, out uint priority, out int merged);
}

/// <summary>Byte-pair merging: again and again the neighbouring pair of best priority becomes one symbol, the leftmost of equals first.</summary>
internal static class PairMerger
{
    // Below this length a scan for the best pair is faster than a queue (words of a text are mostly 2 to 10 bytes).
    internal const int MaxScannedLength = 48;

    /// <summary>Merges in place.</summary>
    /// <returns>How many symbols are left; they stand at the beginning.</returns>
    public static int Merge<TRules>(Span<int> symbols, TRules rules)
        where TRules : struct, IMergeRules =>
        symbols.Length <= MaxScannedLength ? MergeByScan(symbols, rules) : MergeByQueue(symbols, rules);

    /// <summary>Quadratic in the length, without allocation.</summary>
    internal static int MergeByScan<TRules>(Span<int> symbols, TRules rules)
        where TRules : struct, IMergeRules
    {
        int count = symbols.Length;
        if (count < 2) return count;
        Span<uint> priorities = stackalloc uint[MaxScannedLength]; // of the pair that begins at each symbol
        Span<int> merged = stackalloc int[MaxScannedLength];
        for (int i = 0; i + 1 < count; i++) LookUp(symbols, i, rules, priorities, merged);
        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
            {
                if (priorities[i] < priorities[best]) best = i;
            }

            if (priorities[best] == uint.MaxValue) break;
            symbols[best] = merged[best];
            count--;
            symbols[(best + 2)..(count + 1)].CopyTo(symbols[(best + 1)..]);
            priorities[(best + 2)..(count + 1)].CopyTo(priorities[(best + 1)..]);
            merged[(best + 2)..(count + 1)].CopyTo(merged[(best + 1)..]);
            if (best > 0) LookUp(symbols, best - 1, rules, priorities, merged);
            if (best + 1 < count) LookUp(symbols, best, rules, priorities, merged);
        }

        return count;
    }

    /// <summary>n log n in the length: a linked list of the symbols and a queue of the pairs, whose outdated entries are skipped when they come out.</summary>
    internal static int MergeByQueue<TRules>(Span<int> symbols, TRules rules)
        where TRules : struct, IMergeRules
    {
        int length = symbols.Length;
        int[] next = ArrayPool<int>.Shared.Rent(length);
        int[] previous = ArrayPool<int>.Shared.Rent(length);
        // n - 1 pairs at first, and two at most for each of at most n - 1 merges.
        ulong[] storage = ArrayPool<ulong>.Shared.Rent(3 * length);
        var queue = new MergeQueue(storage);
        for (int i = 0; i < length; i++)
        {
            next[i] = i + 1;
            previous[i] = i - 1;
            if (i + 1 < length && rules.TryMerge(symbols[i], symbols[i + 1], out uint priority, out _)) queue.Append(priority, i);
        }

        queue.Order();
        while (queue.TryTake(out uint priority, out int left))
        {
            int right = symbols[left] < 0 ? length : next[left];
            if (right >= length || !rules.TryMerge(symbols[left], symbols[right], out uint current, out int merged) || current != priority) continue;
            symbols[left] = merged;
            symbols[right] = -1;
            int following = next[left] = next[right];
            if (following < length)
            {
                previous[following] = left;
                if (rules.TryMerge(merged, symbols[following], out priority, out _)) queue.Add(priority, left);
            }

            int before = previous[left];
            if (before >= 0 && rules.TryMerge(symbols[before], merged, out priority, out _)) queue.Add(priority, before);
        }

        int count = 0;
        for (int i = 0; i < length; i = next[i]) symbols[count++] = symbols[i];
        ArrayPool<int>.Shared.Return(next);
        ArrayPool<int>.Shared.Return(previous);
        ArrayPool<ulong>.Shared.Return(storage);
        return count;
    }

    private static void LookUp<TRules>(Span<int> symbols, int index, TRules rules, Span<uint> priorities, Span<int> merged)
        where TRules : struct, IMergeRules =>
        priorities[index] = rules.TryMerge(symbols[index], symbols[index + 1], out uint priority, out merged[index]) ? priority : uint.MaxValue;
}
