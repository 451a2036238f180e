using TensorCompress.Inference;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Inference;

public class SessionTests
{
    private static readonly int[] Ids = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426, 338, 401, 396, 267, 337, 410, 408];

    private static string ModelPath => TestFiles.Golden("stories260K/stories260K.bin");

    [Fact]
    public void Logits_are_the_same_bits_alone_in_pieces_and_whole_at_any_thread_count()
    {
        float[][] expected = AllLogits(new ComputePool(1), [Ids]);
        foreach (int threads in new[] { 1, 2, 3 })
        {
            using var pool = new ComputePool(threads);
            Assert.Equal(expected, AllLogits(pool, [.. Ids.Select(id => new[] { id })]));
            Assert.Equal(expected, AllLogits(pool, [Ids[..5], Ids[5..6], Ids[6..19], Ids[19..]]));
            Assert.Equal(expected, AllLogits(pool, [Ids]));
        }
    }

    [Fact]
    public void Rewinding_forgets()
    {
        using LanguageModel model = LanguageModel.Load(ModelPath);
        using Session session = model.CreateSession();
        float[] expected = session.Append(Ids.AsSpan(0, 4)).ToArray();
        session.Append([5, 6, 7]);
        session.Rewind(3);
        Assert.Equal(expected, session.Append(Ids.AsSpan(3, 1)).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => session.Rewind(5));
    }

    [Fact]
    public void A_token_allocates_little()
    {
        using var pool = new ComputePool(1); // all of it is this thread's
        using LanguageModel model = LanguageModel.Load(ModelPath, new LanguageModelOptions { Pool = pool });
        using Session session = model.CreateSession();
        session.Append(Ids);
        session.Append([5]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        const int tokens = 20;
        for (int i = 0; i < tokens; i++) session.Append([6]);
        long perBlock = (GC.GetAllocatedBytesForCurrentThread() - before) / tokens / model.Definition.Blocks.Count;
        Assert.InRange(perBlock, 0, 600); // the batches of a block's four inputs and one call of attention
    }

    [Fact]
    public async Task Sessions_run_side_by_side()
    {
        using LanguageModel model = LanguageModel.Load(ModelPath);
        float[] expected;
        using (Session session = model.CreateSession()) expected = session.Append(Ids).ToArray();
        Task<float[]>[] tasks = [.. Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            using Session session = model.CreateSession();
            return session.Append(Ids).ToArray();
        }))];
        foreach (float[] logits in await Task.WhenAll(tasks)) Assert.Equal(expected, logits);
    }

    [Fact]
    public void Wrong_uses_answer()
    {
        LanguageModel model = LanguageModel.Load(ModelPath);
        Session session = model.CreateSession(8);
        Assert.Throws<ArgumentOutOfRangeException>(() => model.CreateSession(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.CreateSession(model.Definition.ContextLength + 1));
        Assert.Throws<ArgumentException>(() => session.Append([]).Length);
        Assert.Throws<ArgumentException>(() => session.Append([512]).Length);
        Assert.Throws<ArgumentException>(() => session.Append([-1]).Length);
        Assert.Throws<ArgumentException>(() => session.Append(new int[9]).Length);
        Assert.Throws<InvalidOperationException>(model.Dispose);
        session.Dispose();
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Append([1]).Length);
        Assert.Throws<ObjectDisposedException>(() => model.CreateSession());
    }

    [Fact]
    public void A_cancelled_call_leaves_the_position()
    {
        using LanguageModel model = LanguageModel.Load(ModelPath);
        using Session session = model.CreateSession();
        session.Append([1]);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => session.Append([403], cancelled.Token).Length);
        Assert.Equal(1, session.Position);
    }

    [Fact]
    public async Task Text_streams_and_stops()
    {
        using LanguageModel model = LanguageModel.Load(ModelPath);
        string whole = await Collect(new GenerationOptions { MaxTokens = 40 });
        Assert.StartsWith(", there was a little girl named Lily", whole);
        string stopped = await Collect(new GenerationOptions { MaxTokens = 40, StopTexts = ["named Li", "zebra"] });
        Assert.Equal(whole[..whole.IndexOf("named Li", StringComparison.Ordinal)], stopped);

        async Task<string> Collect(GenerationOptions options)
        {
            await using Session session = model.CreateSession();
            var text = new System.Text.StringBuilder();
            FinishReason? reason = null;
            await foreach (GeneratedPiece piece in session.GenerateAsync("Once upon a time", options))
            {
                Assert.Null(reason);
                text.Append(piece.Text);
                reason = piece.FinishReason;
            }

            Assert.Equal(options.StopTexts.Count > 0 ? FinishReason.StopText : FinishReason.Length, reason);
            return text.ToString();
        }
    }

    [Fact]
    public void Log_probabilities_are_those_of_the_softmax_best_first()
    {
        IReadOnlyList<TokenLogProbability> best = TextGenerator.Best([1f, 3f, 3f, 0f], 3);
        Assert.Equal([1, 2, 0], best.Select(token => token.Id));
        double sum = Math.Exp(1) + 2 * Math.Exp(3) + 1;
        Assert.Equal(3 - Math.Log(sum), best[0].LogProbability, 1e-12);
    }

    private static float[][] AllLogits(ComputePool pool, int[][] pieces)
    {
        using LanguageModel model = LanguageModel.Load(ModelPath, new LanguageModelOptions { Pool = pool });
        using Session session = model.CreateSession();
        var all = new List<float[]>();
        foreach (int[] piece in pieces)
        {
            session.Append(piece, (_, logits) =>
            {
                for (int row = 0; row < logits.Rows; row++) all.Add(logits.Row(row).ToArray());
            });
        }

        return [.. all];
    }
}
