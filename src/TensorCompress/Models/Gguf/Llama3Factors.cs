using System.Text.Json.Nodes;
using TensorCompress.Layers;

namespace TensorCompress.Models.Gguf;

/// <summary>
/// Finds the parameters of LLaMA 3.1's rule from the factors by which it divides frequencies. A blended frequency f is divided by 1 / ((1 - s) / F + s) with
/// s = (context f / 2 pi - low) / (high - low), a straight line in f; F is the largest factor. Context, low and high matter only in their ratios, so low is 1.
/// </summary>
internal static class Llama3Factors
{
    private const double Tolerance = 1e-4;

    // What all published models have; used where too few frequencies are blended to tell.
    private const double UsualHigh = 4;

    /// <summary>The <c>rope_scaling</c> object, or null where no parameters give these factors.</summary>
    public static JsonObject? Fit(float[] factors, float[] plain)
    {
        double factor = factors.Max();
        (double Frequency, double Blend)[] blended =
        [
            .. factors.Zip(plain, (own, frequency) => ((double)frequency, (1 / (double)own - 1 / factor) / (1 - 1 / factor)))
                .Where(point => point.Item2 is > 1e-3 and < 1 - 1e-3),
        ];
        (double context, double high) = Line(blended, factors, plain, factor);
        foreach ((double candidate, double candidateHigh) in new[] { (Math.Round(context), Math.Round(high, 2)), (Math.Round(context), high) })
        {
            if (candidate < 1 || candidateHigh <= 1) continue;
            float[] stretched = RotaryFrequencies.Llama3(plain, factor, 1, candidateHigh, candidate);
            if (!stretched.Where((frequency, i) => Math.Abs(plain[i] / frequency / factors[i] - 1) > Tolerance).Any())
            {
                return new JsonObject
                {
                    ["rope_type"] = "llama3",
                    ["factor"] = factor,
                    ["low_freq_factor"] = 1.0,
                    ["high_freq_factor"] = candidateHigh,
                    ["original_max_position_embeddings"] = (int)candidate,
                };
            }
        }

        return null;
    }

    private static (double Context, double High) Line((double Frequency, double Blend)[] blended, float[] factors, float[] plain, double factor)
    {
        if (blended.Length >= 2)
        {
            ((double f0, double s0), (double f1, double s1)) = (blended[0], blended[^1]);
            double slope = (s1 - s0) / (f1 - f0), offset = s0 - slope * f0;
            double high = 1 - 1 / offset;
            return (2 * Math.PI * slope * (high - 1), high);
        }

        if (blended.Length == 1) return (2 * Math.PI * (blended[0].Blend * (UsualHigh - 1) + 1) / blended[0].Frequency, UsualHigh);
        // No frequency is blended: any context will do whose borders lie between the last that stays and the first that is divided.
        int divided = Array.FindIndex(factors, own => own == factor);
        return divided <= 0 ? (0, UsualHigh) : (2 * Math.PI * Math.Sqrt(UsualHigh / ((double)plain[divided - 1] * plain[divided])), UsualHigh);
    }
}
