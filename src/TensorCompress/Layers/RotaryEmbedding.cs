using TensorCompress.Kernels;
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

    /// <summary>Floats per position of the tables that <see cref="FillTable"/> makes.</summary>
    public int TableWidth => 2 * AnglesPerHead;

    /// <summary>Cosines and sines of consecutive positions: made once, used by all blocks that turn alike.</summary>
    /// <param name="firstPosition">Position of the first row.</param>
    /// <param name="table">[positions, <see cref="TableWidth"/>], overwritten.</param>
    public void FillTable(int firstPosition, MatrixView<float> table)
    {
        int repeats = _pairs == RotaryPairs.Halves ? 1 : 2;
        for (nint row = 0; row < table.Rows; row++)
        {
            Span<float> cosines = table.Row(row)[..AnglesPerHead], sines = table.Row(row)[AnglesPerHead..];
            for (int i = 0; i < _inverseFrequencies.Length; i++)
            {
                // The angle is rounded to single precision as in the reference implementations: at far positions that is part of the model.
                (double sine, double cosine) = Math.SinCos((firstPosition + (int)row) * _inverseFrequencies[i]);
                cosines.Slice(i * repeats, repeats).Fill((float)cosine * _magnitude);
                sines.Slice(i * repeats, repeats).Fill((float)sine * _magnitude);
                if (repeats == 2) sines[2 * i] = -sines[2 * i];
            }
        }
    }

    /// <summary>Turns all heads of consecutive positions in place.</summary>
    /// <param name="values">[tokens, heads x dimension].</param>
    /// <param name="table">Cosines and sines of the tokens' positions, from <see cref="FillTable"/>.</param>
    public void Apply(MatrixView<float> values, MatrixView<float> table)
    {
        if (table.Rows != values.Rows || table.Columns != TableWidth)
            throw new ArgumentException($"{values.Rows} tokens need a table of {values.Rows} x {TableWidth}, not {table.Rows} x {table.Columns}.", nameof(table));
        int turned = 2 * _inverseFrequencies.Length;
        for (nint row = 0; row < values.Rows; row++)
        {
            Span<float> heads = values.Row(row), cosines = table.Row(row)[..AnglesPerHead], sines = table.Row(row)[AnglesPerHead..];
            for (int start = 0; start < heads.Length; start += _headDimension)
            {
                if (_pairs == RotaryPairs.Halves) Rotation.Halves(heads.Slice(start, turned), cosines, sines);
                else Rotation.Neighbours(heads.Slice(start, turned), cosines, sines);
            }
        }
    }

    private int AnglesPerHead => _pairs == RotaryPairs.Halves ? _inverseFrequencies.Length : 2 * _inverseFrequencies.Length;
}
