using TensorCompress.Caching;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>Keys and values as a model's cache holds them (keys after rotary embedding) when it has read windows of a text, each from position 0 on: [tokens, heads x dimension] for a block.</summary>
internal sealed class CapturedCache : IDisposable
{
    private const int Window = 512;

    private readonly Matrix<float>[] _keys;
    private readonly Matrix<float>[] _values;

    private CapturedCache(Matrix<float>[] keys, Matrix<float>[] values) => (_keys, _values) = (keys, values);

    /// <summary>Blocks of the model.</summary>
    public int Blocks => _keys.Length;

    public MatrixView<float> Keys(int block) => _keys[block].View;

    public MatrixView<float> Values(int block) => _values[block].View;

    /// <summary>Runs the model.</summary>
    /// <param name="path">The model.</param>
    /// <param name="text">A file; a model without a tokenizer reads what it writes itself instead.</param>
    /// <param name="tokens">Tokens at most; whole windows count.</param>
    public static CapturedCache Of(string path, string text, int tokens)
    {
        using LanguageModel model = LanguageModel.Load(path);
        int length = Math.Min(Window, model.Definition.ContextLength);
        IReadOnlyList<int[]> windows = model.Tokenizer is { } tokenizer ? EvaluationWindows.FromText(tokenizer, File.ReadAllText(text), length, tokens) : [.. Enumerable.Range(0, tokens / length).Select(seed => Sampled(model, length, (ulong)seed))];
        (int blocks, int heads, int dimension) = (model.Definition.Blocks.Count, model.Definition.Blocks[0].Attention.KeyValueHeadCount, model.Definition.Blocks[0].Attention.HeadDimension);
        var executor = new TransformerExecutor(model.Weights);
        int count = windows.Sum(window => window.Length), first = 0;
        Matrix<float>[] keys = Empty(), values = Empty();
        foreach (int[] window in windows)
        {
            using var cache = new FloatKeyValueCache(blocks, heads, dimension, window.Length);
            using var context = new ComputeContext(model.Options.Pool);
            executor.Run(window, 0, cache, context, null, lastOnly: true, null, CancellationToken.None);
            for (int block = 0; block < blocks; block++)
            {
                for (int head = 0; head < heads; head++)
                {
                    cache.Keys(block, head, window.Length).CopyTo(keys[block].RowRange(first, window.Length).ColumnRange(head * dimension, dimension));
                    cache.Values(block, head, window.Length).CopyTo(values[block].RowRange(first, window.Length).ColumnRange(head * dimension, dimension));
                }
            }

            first += window.Length;
        }

        return new CapturedCache(keys, values);

        Matrix<float>[] Empty() => [.. Enumerable.Range(0, blocks).Select(_ => new Matrix<float>(count, heads * dimension))];
    }

    /// <summary>What a model without a tokenizer writes after the first id.</summary>
    private static int[] Sampled(LanguageModel model, int length, ulong seed)
    {
        using Session session = model.CreateSession();
        var options = new GenerationOptions { MaxTokens = length - 1, Sampling = new SamplingOptions { Temperature = 1, Seed = seed }, IgnoreEndOfText = true };
        return [0, .. session.Generate([0], options).Where(piece => piece.Id >= 0).Select(piece => piece.Id)];
    }

    public void Dispose()
    {
        foreach (Matrix<float> matrix in _keys.Concat(_values)) matrix.Dispose();
    }
}
