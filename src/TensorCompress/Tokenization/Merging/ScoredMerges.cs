namespace TensorCompress.Tokenization.Merging;

/// <summary>Merges of a vocabulary with scores: two neighbours become the token whose text is both, the best score first. What scores less than <see cref="NeverMerged"/> is never made.</summary>
internal readonly struct ScoredMerges(TokenBytes bytes, uint[] priorities, bool[]? isUnused = null, Dictionary<int, (int Left, int Right)>? partsOfUnused = null) : IMergeRules
{
    public const uint NeverMerged = uint.MaxValue;

    /// <summary>The place of each token's score among the different scores, the highest first.</summary>
    /// <param name="scores">The scores by id.</param>
    /// <param name="canBeMade">Whether neighbours may become the token.</param>
    public static uint[] PrioritiesOf(float[] scores, Func<int, bool> canBeMade)
    {
        var places = new Dictionary<float, uint>();
        foreach (float score in scores.Distinct().OrderDescending()) places.Add(score, (uint)places.Count);
        return [.. scores.Select((score, id) => canBeMade(id) ? places[score] : NeverMerged)];
    }

    public bool TryMerge(int left, int right, out uint priority, out int merged)
    {
        merged = bytes.Find(bytes[left], bytes[right]);
        priority = merged < 0 ? NeverMerged : priorities[merged];
        if (priority == NeverMerged) return false;
        // Tokens that are kept for later are made, but taken apart again in the end.
        if (isUnused is not null && isUnused[merged]) partsOfUnused![merged] = (left, right);
        return true;
    }
}
