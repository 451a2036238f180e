using System.Text.Json;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Tokenization;

public sealed class BpeTrainerTests
{
    [SharedFact]
    public void BpeTrainer_equals_the_reference()
    {
        string folder = SharedData.Path("fixtures/formats");
        var options = new BpeTrainingOptions { VocabularySize = 500 };
        ByteLevelBpeVocabulary vocabulary = BpeTrainer.Train([File.ReadAllText(Path.Combine(folder, "cs336_corpus.en"))], options);
        string[] merges = File.ReadAllLines(Path.Combine(folder, "cs336_train-bpe-reference-merges.txt"));
        Assert.Equal(merges, vocabulary.Merges.Select(merge => $"{vocabulary.Tokens[merge.Left]} {vocabulary.Tokens[merge.Right]}"));
        Dictionary<string, int> ids = JsonSerializer.Deserialize<Dictionary<string, int>>(File.ReadAllText(Path.Combine(folder, "cs336_train-bpe-reference-vocab.json")))!;
        Assert.Equal(ids.OrderBy(entry => entry.Value).Select(entry => entry.Key), vocabulary.Tokens);
    }

    [Fact]
    public void BpeTrainer_trains_what_its_definition_says()
    {
        var random = new Random(21);
        for (int trial = 0; trial < 5; trial++)
        {
            string text = string.Concat(Enumerable.Range(0, 150).Select(_ => " " + string.Concat(Enumerable.Range(0, random.Next(1, 7)).Select(_ => (char)('a' + random.Next(3))))));
            ByteLevelBpeVocabulary vocabulary = BpeTrainer.Train([text], new BpeTrainingOptions { VocabularySize = 280 });
            Assert.Equal(Naive(text, 280 - 257), vocabulary.Merges.Select(merge => (vocabulary.Tokens[merge.Left]!, vocabulary.Tokens[merge.Right]!)));
            Tokenizer tokenizer = SubwordTokenizer.FromByteLevelBpe(vocabulary);
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text, new EncodeOptions())));
        }
    }

    [Fact]
    public void BpeTrainer_ends_where_no_pair_is_left_and_does_not_look_into_special_tokens()
    {
        ByteLevelBpeVocabulary vocabulary = BpeTrainer.Train(["ab<|endoftext|>ab", "c"], new BpeTrainingOptions { VocabularySize = 1000 });
        Assert.Equal(258, vocabulary.Tokens.Count);
        Assert.Equal("ab", vocabulary.Tokens[^1]);
        Assert.Empty(BpeTrainer.Train(["ab"], new BpeTrainingOptions { VocabularySize = 1000, MinFrequency = 2 }).Merges);
        Assert.Throws<ArgumentException>(() => BpeTrainer.Train([], new BpeTrainingOptions { VocabularySize = 256 }));
        Assert.Throws<ArgumentException>(() => BpeTrainer.Train([], new BpeTrainingOptions { VocabularySize = 999, SpecialTokens = ["x", "x"] }));
        Assert.Throws<OperationCanceledException>(() => BpeTrainer.Train(["a"], new BpeTrainingOptions { VocabularySize = 999 }, null, new CancellationToken(canceled: true)));
    }

    // Counts all pairs anew for every merge. The words have letters a to c only, so that texts and bytes compare alike.
    private static IEnumerable<(string, string)> Naive(string text, int merges)
    {
        List<List<string>> words = [.. SubwordTokenizer.Words(PreTokenizers.Gpt2.Stages, text).Select(word => word.Select(unit => unit == ' ' ? "Ġ" : unit.ToString()).ToList())];
        for (int merge = 0; merge < merges; merge++)
        {
            (string, string) best = words.SelectMany(word => word.Zip(word.Skip(1))).GroupBy(pair => pair)
                .OrderByDescending(group => group.Count()).ThenByDescending(group => Bytes(group.Key.First), StringComparer.Ordinal).ThenByDescending(group => Bytes(group.Key.Second), StringComparer.Ordinal).First().Key;
            yield return best;
            foreach (List<string> word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    if ((word[i], word[i + 1]) != best) continue;
                    word[i] += word[i + 1];
                    word.RemoveAt(i + 1);
                }
            }
        }
    }

    private static string Bytes(string token) => token.Replace('Ġ', ' ');
}
