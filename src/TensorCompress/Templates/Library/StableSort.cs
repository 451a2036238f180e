namespace TensorCompress.Templates.Library;

/// <summary>A merge sort: equal items keep their order, and a comparison may throw or contradict itself without harm.</summary>
internal static class StableSort
{
    public static void Sort<T>(T[] items, Comparison<T> compare)
    {
        var buffer = new T[items.Length];
        for (int width = 1; width < items.Length; width *= 2)
        {
            for (int start = 0; start < items.Length; start += 2 * width)
                Merge(items, buffer, start, Math.Min(start + width, items.Length), Math.Min(start + (2 * width), items.Length), compare);
            buffer.CopyTo(items, 0);
        }
    }

    private static void Merge<T>(T[] items, T[] buffer, int start, int middle, int end, Comparison<T> compare)
    {
        int left = start, right = middle;
        for (int to = start; to < end; to++)
        {
            bool takesRight = left >= middle || (right < end && compare(items[right], items[left]) < 0);
            buffer[to] = takesRight ? items[right++] : items[left++];
        }
    }
}
