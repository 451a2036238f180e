namespace TensorCompress.Compression.Qet.Universal;

/// <summary>Gives rows their rates within a budget of bytes: every row begins with the least, and the bits go where they take most off the error.</summary>
internal static class RateAllocation
{
    /// <summary>Bits of a rate where rows have different ones.</summary>
    public const int RateBits = 3;

    /// <summary>Chooses.</summary>
    /// <param name="energies">What a row's relative squared error is worth.</param>
    /// <param name="segments">Vectors of a row.</param>
    /// <param name="maxBytes">For codes, scales and rates.</param>
    /// <param name="scaleBytes">Bytes of a scale.</param>
    /// <returns>Index of the rate of each row; null where the least rate is too much.</returns>
    public static byte[]? Choose(ReadOnlySpan<double> energies, int segments, long maxBytes, int scaleBytes)
    {
        long left = maxBytes - (long)energies.Length * scaleBytes;
        byte[]? mixed = Mixed(energies, segments, left - BitStream.ByteLength(energies.Length, RateBits));
        int even = UniversalRate.All.Count - 1;
        while (even >= 0 && (long)UniversalRate.All[even].RowBytes(segments) * energies.Length > left) even--;
        if (even < 0) return null;
        byte[] alike = new byte[energies.Length];
        Array.Fill(alike, (byte)even);
        return mixed is not null && Loss(energies, mixed) < Loss(energies, alike) ? mixed : alike;
    }

    private static double Loss(ReadOnlySpan<double> energies, byte[] rates)
    {
        double sum = 0;
        for (int row = 0; row < rates.Length; row++) sum += energies[row] * UniversalRate.All[rates[row]].Distortion;
        return sum;
    }

    private static byte[]? Mixed(ReadOnlySpan<double> energies, int segments, long left)
    {
        int steps = UniversalRate.All.Count - 1;
        left -= (long)UniversalRate.All[0].RowBytes(segments) * energies.Length;
        if (left < 0) return null;
        double[] gains = new double[energies.Length * steps];
        for (int i = 0; i < gains.Length; i++)
        {
            UniversalRate low = UniversalRate.All[i % steps], high = UniversalRate.All[i % steps + 1];
            gains[i] = energies[i / steps] * (low.Distortion - high.Distortion) / (high.RowBytes(segments) - low.RowBytes(segments));
        }

        byte[] rates = new byte[energies.Length];
        foreach (int i in Enumerable.Range(0, gains.Length).OrderByDescending(i => gains[i])) // a stable sort
        {
            int row = i / steps, step = i % steps, cost = UniversalRate.All[step + 1].RowBytes(segments) - UniversalRate.All[step].RowBytes(segments);
            if (rates[row] != step || cost > left) continue;
            left -= cost;
            rates[row]++;
        }

        return rates;
    }
}
