using TensorCompress.Tensors;

namespace TensorCompress.Layers;

/// <summary>Which channels of a head are turned together.</summary>
public enum RotaryPairs
{
    /// <summary>Channel i with channel i + d/2 ("rotate half"; Hugging Face checkpoints).</summary>
    Halves,

    /// <summary>Channel 2i with channel 2i + 1 (the RoPE paper, llama2.c and GGUF row order).</summary>
    Neighbours,
}

/// <summary>Rotary position embedding (Su et al. 2021): pair i of a head at position p is turned by the angle p theta^(-2i/d).</summary>
public sealed class RotaryEmbedding
{
    private readonly float[] _inverseFrequencies;
    private readonly RotaryPairs _pairs;

    /// <summary>Makes the frequencies.</summary>
    /// <param name="dimension">Channels of a head, even.</param>
    /// <param name="theta">Base of the frequencies, positive.</param>
    /// <param name="pairs">Which channels are turned together.</param>
    public RotaryEmbedding(int dimension, double theta, RotaryPairs pairs)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 2);
        if (dimension % 2 != 0) throw new ArgumentException($"Rotary embedding turns pairs of channels; a head of {dimension} has an odd number.", nameof(dimension));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(theta);
        _pairs = pairs;
        _inverseFrequencies = new float[dimension / 2];
        // Single precision as in the reference implementations: at far positions the rounding of the frequency is part of the model.
        for (int i = 0; i < _inverseFrequencies.Length; i++) _inverseFrequencies[i] = 1f / (float)Math.Pow(theta, 2.0 * i / dimension);
    }

    /// <summary>Channels of a head.</summary>
    public int Dimension => 2 * _inverseFrequencies.Length;

    /// <summary>Turns all heads of consecutive positions in place.</summary>
    /// <param name="values">[tokens, heads x dimension].</param>
    /// <param name="firstPosition">Position of the first row.</param>
    public void Apply(MatrixView<float> values, int firstPosition)
    {
        int half = _inverseFrequencies.Length;
        Span<float> cosines = new float[half];
        Span<float> sines = new float[half];
        for (nint row = 0; row < values.Rows; row++)
        {
            for (int i = 0; i < half; i++)
            {
                (double sine, double cosine) = Math.SinCos((firstPosition + (int)row) * _inverseFrequencies[i]);
                (sines[i], cosines[i]) = ((float)sine, (float)cosine);
            }

            Span<float> heads = values.Row(row);
            for (int start = 0; start < heads.Length; start += 2 * half) Turn(heads.Slice(start, 2 * half), cosines, sines);
        }
    }

    private void Turn(Span<float> head, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        int half = cosines.Length;
        (int step, int distance) = _pairs == RotaryPairs.Halves ? (1, half) : (2, 1);
        for (int i = 0; i < half; i++)
        {
            ref float x = ref head[i * step];
            ref float y = ref head[i * step + distance];
            (x, y) = (x * cosines[i] - y * sines[i], y * cosines[i] + x * sines[i]);
        }
    }
}
