namespace TensorCompress.Layers;

/// <summary>Inverse frequencies of rotary embedding: plain, and stretched to longer contexts by the published rules. Single precision, as the reference computes them.</summary>
public static class RotaryFrequencies
{
    /// <summary><c>theta^(-2i/d)</c> for i below d/2 (Su et al. 2021).</summary>
    /// <param name="dimension">Channels that turn, even.</param>
    /// <param name="theta">Base, positive.</param>
    public static float[] Plain(int dimension, double theta)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 2);
        if (dimension % 2 != 0) throw new ArgumentException($"Rotary embedding turns pairs of channels; {dimension} is odd.", nameof(dimension));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(theta);
        return [.. Enumerable.Range(0, dimension / 2).Select(i => 1f / (float)Math.Pow(theta, 2.0 * i / dimension))];
    }

    /// <summary>Positions divided by a factor (Chen et al. 2023).</summary>
    public static float[] Linear(float[] plain, double factor) => [.. plain.Select(frequency => frequency / (float)factor)];

    /// <summary>LLaMA 3.1: waves shorter than the original context over <paramref name="highFactor"/> stay, longer than over <paramref name="lowFactor"/> are divided, between them blended.</summary>
    public static float[] Llama3(float[] plain, double factor, double lowFactor, double highFactor, double originalContext) =>
    [
        .. plain.Select(frequency =>
        {
            double wavelength = 2 * Math.PI / frequency;
            if (wavelength < originalContext / highFactor) return frequency;
            if (wavelength > originalContext / lowFactor) return (float)(frequency / factor);
            double smooth = (originalContext / wavelength - lowFactor) / (highFactor - lowFactor);
            return (float)((1 - smooth) * frequency / factor + smooth * frequency);
        }),
    ];

    /// <summary>YaRN (Peng et al. 2023): frequencies that turn often in the original context stay, those that turn seldom are divided, a linear ramp between them.</summary>
    /// <param name="plain">Plain frequencies.</param>
    /// <param name="theta">Their base.</param>
    /// <param name="factor">Stretch of the context.</param>
    /// <param name="originalContext">Context that the model was trained with.</param>
    /// <param name="betaFast">Turns from which a frequency stays.</param>
    /// <param name="betaSlow">Turns below which it is divided.</param>
    /// <param name="truncates">Whether the ends of the ramp are rounded outwards to whole pairs.</param>
    public static float[] Yarn(float[] plain, double theta, double factor, double originalContext, double betaFast, double betaSlow, bool truncates)
    {
        int dimension = 2 * plain.Length;
        double PairOf(double turns) => dimension * Math.Log(originalContext / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));
        double low = PairOf(betaFast), high = PairOf(betaSlow);
        if (truncates) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        low = Math.Max(low, 0);
        high = Math.Min(high, dimension - 1);
        if (low == high) high += 0.001;
        return
        [
            .. plain.Select((frequency, i) =>
            {
                double divided = Math.Clamp((i - low) / (high - low), 0, 1);
                return (float)(frequency / factor * divided + frequency * (1 - divided));
            }),
        ];
    }
}
