using TensorCompress.Tokenization.Merging;

namespace TensorCompress.Tests.Tokenization;

public sealed class PairMergerTests
{
    [Fact]
    public void PairMerger_gives_what_the_definition_gives_by_scan_and_by_queue()
    {
        var random = new Random(1);
        int merged = 0;
        for (int trial = 0; trial < 3000; trial++)
        {
            var rules = new RandomRules(random.Next(), random.Next(2, 6), random.Next(1, 8));
            int[] symbols = [.. Enumerable.Range(0, random.Next(0, PairMerger.MaxScannedLength + 1)).Select(_ => random.Next(4))];
            List<int> expected = Naive(symbols, rules);
            int[] scanned = [.. symbols];
            int[] queued = [.. symbols];
            Assert.Equal(expected, scanned[..PairMerger.MergeByScan(scanned, rules)]);
            Assert.Equal(expected, queued[..PairMerger.MergeByQueue(queued, rules)]);
            merged += symbols.Length - expected.Count;
        }

        Assert.True(merged > 10_000, $"only {merged} merges happened");
    }

    [Fact]
    public void PairMerger_gives_the_same_for_long_words()
    {
        var random = new Random(2);
        for (int trial = 0; trial < 50; trial++)
        {
            var rules = new RandomRules(random.Next(), 5, 4);
            int[] symbols = [.. Enumerable.Range(0, random.Next(49, 600)).Select(_ => random.Next(3))];
            List<int> expected = Naive(symbols, rules);
            Assert.Equal(expected, symbols[..PairMerger.Merge(symbols, rules)]);
        }
    }

    [Fact]
    public void MergeTable_keeps_the_first_of_repeated_merges_and_finds_nothing_else()
    {
        var table = new MergeTable([new(1, 2, 7), new(2, 1, 8), new(1, 2, 9), new(0, 0, 5)]);
        Assert.True(table.TryMerge(1, 2, out uint priority, out int merged));
        Assert.Equal((0u, 7), (priority, merged));
        Assert.True(table.TryMerge(0, 0, out priority, out merged));
        Assert.Equal((3u, 5), (priority, merged));
        Assert.False(table.TryMerge(0, 1, out _, out _));
        Assert.False(table.TryMerge(7, 7, out _, out _));
        Assert.Equal([new(1, 2, 7), new(2, 1, 8), new(0, 0, 5)], table.InOrder());
    }

    // The definition: the pair of the smallest priority, the leftmost of equals, becomes one symbol, until there is none.
    private static List<int> Naive(int[] symbols, RandomRules rules)
    {
        List<int> list = [.. symbols];
        while (true)
        {
            int best = -1;
            uint bestPriority = uint.MaxValue;
            for (int i = 0; i + 1 < list.Count; i++)
            {
                if (!rules.TryMerge(list[i], list[i + 1], out uint priority, out _) || priority >= bestPriority) continue;
                best = i;
                bestPriority = priority;
            }

            if (best < 0) return list;
            rules.TryMerge(list[best], list[best + 1], out _, out int merged);
            list[best] = merged;
            list.RemoveAt(best + 1);
        }
    }

    // About a third of all pairs merge, into few symbols, with few different priorities: many ties and long chains.
    private readonly struct RandomRules(int seed, int symbols, int priorities) : IMergeRules
    {
        public bool TryMerge(int left, int right, out uint priority, out int merged)
        {
            uint hash = (uint)(((left * 31 + right + 1) * 2654435761u) ^ (uint)seed) * 2246822519u;
            hash ^= hash >> 15;
            priority = hash % (uint)priorities;
            merged = (int)(hash / 64 % (uint)symbols);
            return hash / 16 % 3 == 0;
        }
    }
}
