namespace TensorCompress.Tests.TestKit;

/// <summary>A kernel of up to two vectors; one that takes fewer ignores the rest.</summary>
internal delegate void VectorKernel(ReadOnlySpan<float> left, ReadOnlySpan<float> right, Span<float> destination);

/// <summary>What must hold for every kernel from vectors to a vector, element by element.</summary>
internal static class VectorKernels
{
    private const int MaxLength = 256;
    private const float Sentinel = 12345.678f;
    private static readonly float[] Special = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, -0f, 1e-45f, -1e-40f, 1.17549421e-38f, 3e38f, -3e38f];

    /// <summary>All lengths at all widths between inaccessible pages, whole and in place: the oracle within the tolerance, the same bits at every width.</summary>
    /// <param name="widths">The kernel.</param>
    /// <param name="oracle">The element from the elements of left, right, and what was in the destination before.</param>
    /// <param name="tolerance">From the elements of left and right.</param>
    /// <param name="scale">Values lie in [-scale, scale).</param>
    /// <param name="accumulates">Whether the destination is read too; then there is no other way than in place.</param>
    public static void Check(Widths<VectorKernel> widths, Func<double, double, double, double> oracle, Func<double, double, double> tolerance, float scale = 4f, bool accumulates = false)
    {
        var source = new FloatSource(97);
        for (int n = 0; n <= MaxLength; n++)
        {
            // Behind the last element or before the first lies a forbidden page; the starts take every alignment, as the end is at the page's.
            bool guardAfter = n % 4 != 0;
            using GuardedMemory<float> left = new(n, guardAfter), right = new(n, guardAfter), destination = new(n, guardAfter);
            source.Array(n, scale).CopyTo(left.Span);
            source.Array(n, scale).CopyTo(right.Span);
            float[] before = accumulates ? source.Array(n, scale) : [.. Enumerable.Repeat(Sentinel, n)];
            float[]? reference = null;
            foreach ((string width, VectorKernel run) in widths.All)
            {
                string what = $"n = {n}, width {width}";
                before.CopyTo(destination.Span);
                run(left.Span, right.Span, destination.Span);
                float[] result = destination.Span.ToArray(), x = left.Span.ToArray(), y = right.Span.ToArray();
                FloatBits.AssertNear(i => oracle(x[i], y[i], before[i]), result, i => tolerance(x[i], y[i]), what);
                if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(reference ??= result, result, what);
                if (accumulates) continue;
                left.Span.CopyTo(destination.Span);
                run(destination.Span, right.Span, destination.Span);
                FloatBits.AssertEqual(result, destination.Span, what + ", in place");
            }
        }

        CheckAlignments(widths, source);
        CheckSpecialValues(widths);
    }

    // Every start within a cache line, with sentinels around the destination.
    private static void CheckAlignments(Widths<VectorKernel> widths, FloatSource source)
    {
        foreach (int n in new[] { 1, 15, 16, 17, 67 })
        {
            float[] left = source.Array(n + 16), right = source.Array(n + 16), reference = new float[n];
            widths.Scalar(left.AsSpan(0, n), right.AsSpan(0, n), reference);
            foreach ((string width, VectorKernel run) in widths.All)
            {
                for (int start = 0; start < 16; start++)
                {
                    float[] destination = [.. Enumerable.Repeat(Sentinel, n + 18)], x = new float[n + 16], y = new float[n + 16];
                    left.AsSpan(0, n).CopyTo(x.AsSpan(start));
                    right.AsSpan(0, n).CopyTo(y.AsSpan(15 - start));
                    destination.AsSpan(start + 1, n).Clear();
                    run(x.AsSpan(start, n), y.AsSpan(15 - start, n), destination.AsSpan(start + 1, n));
                    if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(reference, destination.AsSpan(start + 1, n), $"start {start}, n = {n}, width {width}");
                    Assert.False(destination.AsSpan(0, start + 1).ContainsAnyExcept(Sentinel), $"before the start {start}, n = {n}, width {width}");
                    Assert.False(destination.AsSpan(start + 1 + n).ContainsAnyExcept(Sentinel), $"behind the end, start {start}, n = {n}, width {width}");
                }
            }
        }
    }

    // Infinities, NaN, -0 and subnormals: the same bits at every width, and no effect on other elements.
    private static void CheckSpecialValues(Widths<VectorKernel> widths)
    {
        foreach (float special in Special)
        {
            for (int at = 0; at < 35; at += 3)
            {
                float[] left = [.. Enumerable.Repeat(0.5f, 35)], right = [.. Enumerable.Repeat(-0.25f, 35)], reference = new float[35], undisturbed = new float[35];
                widths.Scalar(left, right, undisturbed);
                left[at] = special;
                right[(at + 10) % 35] = special;
                widths.Scalar(left, right, reference);
                foreach ((string width, VectorKernel run) in widths.All)
                {
                    float[] result = new float[35];
                    run(left, right, result);
                    if (FloatBits.FusedMultiplyAdd) FloatBits.AssertEqual(reference, result, $"{special} at {at}, width {width}");
                    for (int i = 0; i < 35; i++)
                    {
                        if (i != at && i != (at + 10) % 35) FloatBits.AssertEqual(undisturbed.AsSpan(i, 1), reference.AsSpan(i, 1), $"{special} at {at} shows at {i}");
                    }
                }
            }
        }
    }
}
