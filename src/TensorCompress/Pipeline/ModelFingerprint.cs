using TensorCompress.Compression;
using TensorCompress.Inference;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Threading;

namespace TensorCompress.Pipeline;

/// <summary>The logits of a model after a short fixed input, recorded when it is made and compared when it is verified.</summary>
internal static class ModelFingerprint
{
    private const int Tokens = 16;
    private const int Top = 8;

    /// <summary>Loads the model and runs the input.</summary>
    /// <exception cref="ArithmeticException">A logit is not finite.</exception>
    public static ManifestVerification Record(string model, ComputePool pool, CancellationToken cancellationToken)
    {
        using LanguageModel loaded = LanguageModel.Load(model, new LanguageModelOptions { Pool = pool, Runtime = RuntimeOptions.Exact, WithoutTokenizer = true }, cancellationToken);
        var random = new SeededRandom(0);
        int count = Math.Min(Tokens, loaded.Definition.ContextLength);
        int[] ids = [.. Enumerable.Range(0, count).Select(_ => (int)(random.NextDouble() * loaded.Definition.VocabularySize))];
        return Run(loaded, ids, cancellationToken);
    }

    /// <summary>Runs ids through a model.</summary>
    /// <exception cref="ArithmeticException">A logit is not finite.</exception>
    public static ManifestVerification Run(LanguageModel model, IReadOnlyList<int> ids, CancellationToken cancellationToken)
    {
        using Session session = model.CreateSession(ids.Count);
        ReadOnlySpan<float> logits = session.Append([.. ids], cancellationToken);
        double logSum = Softmax.LogSumExp(logits);
        if (!double.IsFinite(logSum)) throw new ArithmeticException("The model's logits are not finite: a weight is damaged, or the compression destroyed it.");
        IReadOnlyList<TokenLogProbability> best = TextGenerator.Best(logits, Top);
        var top = new float[best.Count];
        for (int i = 0; i < top.Length; i++) top[i] = logits[best[i].Id];
        return new ManifestVerification(ids, [.. best.Select(token => token.Id)], top, logSum);
    }
}
