using System.Numerics;

namespace TensorCompress.Tokenization.Merging;

/// <summary>The merges of a byte-pair vocabulary by their pair of ids: an open-addressing table of 16-byte slots, at most half full.</summary>
internal readonly struct MergeTable : IMergeRules
{
    private readonly Slot[] _slots;

    /// <summary>Takes the merges in the order of their ranks; of a repeated pair the first counts.</summary>
    public MergeTable(IReadOnlyList<BpeMerge> merges)
    {
        _slots = new Slot[BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, 2 * merges.Count))];
        for (int rank = 0; rank < merges.Count; rank++)
        {
            BpeMerge merge = merges[rank];
            ref Slot slot = ref Find(merge.Left, merge.Right);
            if (slot.IsUsed) continue;
            slot = new Slot(merge.Left, merge.Right + 1, rank, merge.Result);
        }
    }

    /// <summary>The merges in the order of their ranks, repeated ones left out.</summary>
    public BpeMerge[] InOrder() =>
        [.. _slots.Where(slot => slot.IsUsed).OrderBy(slot => slot.Rank).Select(slot => new BpeMerge(slot.Left, slot.RightPlusOne - 1, slot.Merged))];

    public bool TryMerge(int left, int right, out uint priority, out int merged)
    {
        ref Slot slot = ref Find(left, right);
        priority = (uint)slot.Rank;
        merged = slot.Merged;
        return slot.IsUsed;
    }

    // The slot of the pair, or the free one where it would stand.
    private ref Slot Find(int left, int right)
    {
        // Seeded per process, so that a file cannot be made whose pairs all fall together.
        uint index = (uint)HashCode.Combine(left, right);
        for (; ; index++)
        {
            ref Slot slot = ref _slots[index & (uint)(_slots.Length - 1)];
            if (!slot.IsUsed || (slot.Left == left && slot.RightPlusOne == right + 1)) return ref slot;
        }
    }

    private readonly record struct Slot(int Left, int RightPlusOne, int Rank, int Merged)
    {
        public bool IsUsed => RightPlusOne != 0;
    }
}
