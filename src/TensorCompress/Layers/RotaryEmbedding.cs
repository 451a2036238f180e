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

/// <summary>Rotary position embedding (Su et al. 2021): pair i of a head at position p is turned by p times its frequency. Channels behind the last pair pass unchanged.</summary>
public sealed class RotaryEmbedding
{
    private readonly float[] _inverseFrequencies;
    private readonly float _magnitude;
    private readonly RotaryPairs _pairs;
    private readonly int _headDimension;

    /// <summary>Sets the frequencies.</summary>
    /// <param name="headDimension">Channels of a head.</param>
    /// <param name="inverseFrequencies">One per pair (<see cref="RotaryFrequencies"/>).</param>
    /// <param name="pairs">Which channels are turned together.</param>
    /// <param name="magnitude">Factor of cosines and sines (YaRN); 1 for none.</param>
    /// <exception cref="ArgumentException">More pairs than the head has.</exception>
    public RotaryEmbedding(int headDimension, IReadOnlyList<float> inverseFrequencies, RotaryPairs pairs = RotaryPairs.Halves, float magnitude = 1f)
    {
        ArgumentNullException.ThrowIfNull(inverseFrequencies);
        if (2 * inverseFrequencies.Count > headDimension) throw new ArgumentException($"{inverseFrequencies.Count} pairs do not fit into a head of {headDimension} channels.", nameof(inverseFrequencies));
        _headDimension = headDimension;
        _inverseFrequencies = [.. inverseFrequencies];
        _pairs = pairs;
        _magnitude = magnitude;
    }

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
                // The angle is rounded to single precision as in the reference implementations: at far positions that is part of the model.
                (double sine, double cosine) = Math.SinCos((firstPosition + (int)row) * _inverseFrequencies[i]);
                (sines[i], cosines[i]) = ((float)sine * _magnitude, (float)cosine * _magnitude);
            }

            Span<float> heads = values.Row(row);
            for (int start = 0; start < heads.Length; start += _headDimension) Turn(heads.Slice(start, 2 * half), cosines, sines);
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
