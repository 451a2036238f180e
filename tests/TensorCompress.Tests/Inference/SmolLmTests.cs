using System.Text.Json;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Kernels;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Inference;

/// <summary>SmolLM2-135M from its GGUF file: logits, hidden states, greedy texts and perplexity of the reference.</summary>
public sealed class SmolLmTests : IDisposable
{
    private const string Folder = "models/smollm2-135m/";
    private LanguageModel? _model;

    private LanguageModel Model => _model ??= LanguageModel.Load(SharedData.Path(Folder + "SmolLM2-135M-Instruct.Q4_1.gguf"));

    public void Dispose() => _model?.Dispose();

    [SharedFact]
    public void Logits_of_every_position()
    {
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(SharedData.Path(Folder + "golden/logits.json")));
        double largest = 0;
        foreach (JsonElement prompt in golden.RootElement.GetProperty("prompts").EnumerateArray())
        {
            JsonElement top = prompt.GetProperty("top16"), logSums = prompt.GetProperty("logsumexp");
            using Session session = Model.CreateSession();
            session.Append(Ints(prompt.GetProperty("ids")), (first, logits) =>
            {
                for (int row = 0; row < logits.Rows; row++)
                {
                    Span<float> values = logits.Row(row);
                    largest = Math.Max(largest, Math.Abs(logSums[first + row].GetDouble() - Softmax.LogSumExp(values)));
                    foreach (JsonElement pair in top[first + row].EnumerateArray())
                        largest = Math.Max(largest, Math.Abs(pair[1].GetDouble() - values[pair[0].GetInt32()]));
                }
            });
        }

        Assert.InRange(largest, 0, 3e-4);
    }

    [SharedFact]
    public void Last_logits_over_the_whole_vocabulary_and_hidden_states()
    {
        using SafetensorsFile golden = SafetensorsFile.Open(SharedData.Path(Folder + "golden/logits.safetensors"));
        foreach (string name in golden.Tensors.Keys.Where(name => name.EndsWith(".last_logits", StringComparison.Ordinal)))
        {
            using Session session = Model.CreateSession();
            int[] ids = [.. Read(golden, name.Replace(".last_logits", ".ids", StringComparison.Ordinal)).Select(id => (int)id)];
            float[] logits = session.Append(ids).ToArray();
            float[] expected = Read(golden, name);
            Assert.InRange(logits.Zip(expected, (a, b) => Math.Abs(a - b)).Max(), 0, 3e-4);
        }

        using JsonDocument description = JsonDocument.Parse(File.ReadAllBytes(SharedData.Path(Folder + "golden/logits.json")));
        JsonElement hidden = description.RootElement.GetProperty("hidden32");
        var probe = new HiddenStates(golden, hidden.GetProperty("max_abs"));
        using (Session session = Model.CreateSession()) session.Append(Ints(hidden.GetProperty("ids")), (_, _) => { }, probe);
        Assert.Equal(32, probe.Compared);
        Assert.InRange(probe.LargestRelative, 0, 3e-5);
    }

    [SharedFact]
    public void Greedy_runs()
    {
        int runs = 0;
        foreach (string line in File.ReadLines(SharedData.Path(Folder + "golden/greedy.jsonl")))
        {
            using JsonDocument golden = JsonDocument.Parse(line);
            using Session session = Model.CreateSession();
            int[] expected = Ints(golden.RootElement.GetProperty("ids"));
            var options = new GenerationOptions { MaxTokens = expected.Length, IgnoreEndOfText = true };
            int[] actual = [.. session.Generate(Ints(golden.RootElement.GetProperty("prompt_ids")), options).Where(piece => piece.Id >= 0).Select(piece => piece.Id)];
            Assert.Equal(expected, actual);
            runs++;
        }

        Assert.Equal(12, runs);
    }

    [SharedFact]
    public void Perplexity_of_the_first_windows_of_wikitext()
    {
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(SharedData.Path(Folder + "golden/perplexity.json")));
        string text = File.ReadAllText(SharedData.Path("data/wiki.test.raw"));
        IReadOnlyList<int[]> windows = EvaluationWindows.FromText(Model.Tokenizer!, text, 512, 4 * 512);
        EvaluationResult result = Evaluator.Evaluate(Model, windows);
        JsonElement expected = golden.RootElement.GetProperty("wikitext2_test").GetProperty("runs")[0].GetProperty("per_window");
        double nats = expected.EnumerateArray().Take(4).Sum(window => window.GetProperty("nll_sum").GetDouble()) / (4 * 511);
        Assert.Equal(nats, result.Loss, nats * 1e-5);
    }

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];

    private static float[] Read(SafetensorsFile file, string name)
    {
        var values = new float[file.Tensors[name].ElementCount];
        file.ReadSingles(name, 0, values);
        return values;
    }

    private sealed class HiddenStates(SafetensorsFile golden, JsonElement maximum) : ActivationProbe
    {
        public int Compared { get; private set; }

        public double LargestRelative { get; private set; }

        public override void Observe(ActivationPoint point, int block, int firstPosition, MatrixView<float> values)
        {
            string? name = point switch
            {
                ActivationPoint.Embedding => "embed",
                ActivationPoint.BlockOutput => $"layer.{block:00}",
                ActivationPoint.FinalNorm => "norm",
                _ => null,
            };
            if (name is null) return;
            float[] expected = Read(golden, "hidden32." + name);
            for (int row = 0; row < values.Rows; row++)
            {
                Span<float> actual = values.Row(row);
                for (int i = 0; i < actual.Length; i++)
                    LargestRelative = Math.Max(LargestRelative, Math.Abs(actual[i] - expected[row * actual.Length + i]) / maximum.GetProperty(name).GetDouble());
            }

            Compared++;
        }
    }
}
