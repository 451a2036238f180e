using TensorCompress.Kernels;
using TensorCompress.Numerics;

namespace TensorCompress.Inference;

/// <summary>Chooses tokens by logits. Holds the state of the random generator; one per generated text.</summary>
public sealed class Sampler
{
    private readonly SamplingOptions _options;
    private readonly SeededRandom _random;
    private Candidate[] _candidates = [];

    /// <summary>Begins a text.</summary>
    public Sampler(SamplingOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _random = new SeededRandom(options.Seed);
    }

    /// <summary>Chooses the next token.</summary>
    /// <param name="logits">One logit per id.</param>
    /// <exception cref="ArithmeticException">A logit is NaN: the model's weights or activations are broken.</exception>
    public int Next(ReadOnlySpan<float> logits)
    {
        int best = Extremes.IndexOfMax(logits); // the first NaN where there is one
        if (float.IsNaN(logits[best])) throw new ArithmeticException($"The logit of token {best} is not a number: the model is damaged or its activations overflow.");
        if (_options.Temperature == 0) return best;

        int count = SelectCandidates(logits, logits[best]);
        double sum = 0;
        for (int i = 0; i < count; i++) sum += _candidates[i].Probability;
        double draw = _random.NextDouble() * sum;
        for (int i = 0; i < count; i++)
        {
            draw -= _candidates[i].Probability;
            if (draw < 0) return _candidates[i].Id;
        }

        return _candidates[count - 1].Id; // rounding left a rest
    }

    // Fills the candidates, most probable first (equal ones by id), and returns how many are kept.
    private int SelectCandidates(ReadOnlySpan<float> logits, float maximum)
    {
        if (_candidates.Length < logits.Length) _candidates = new Candidate[logits.Length];
        for (int id = 0; id < logits.Length; id++)
            _candidates[id] = new Candidate(id, Math.Exp((double)(logits[id] - maximum) / _options.Temperature));

        Array.Sort(_candidates, 0, logits.Length);
        int count = _options.TopK == 0 ? logits.Length : Math.Min(_options.TopK, logits.Length);
        if (_options.TopP < 1)
        {
            double kept = 0, all = 0;
            for (int i = 0; i < count; i++) all += _candidates[i].Probability;
            int reached = 0;
            while (reached < count && kept < _options.TopP * all) kept += _candidates[reached++].Probability;
            count = Math.Max(1, reached);
        }

        if (_options.MinP > 0)
        {
            double least = _options.MinP * _candidates[0].Probability;
            while (count > 1 && _candidates[count - 1].Probability < least) count--;
        }

        return count;
    }

    private readonly record struct Candidate(int Id, double Probability) : IComparable<Candidate>
    {
        public int CompareTo(Candidate other)
        {
            int byProbability = other.Probability.CompareTo(Probability);
            return byProbability != 0 ? byProbability : Id.CompareTo(other.Id);
        }
    }
}
