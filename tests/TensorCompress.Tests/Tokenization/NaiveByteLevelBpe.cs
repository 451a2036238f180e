using System.Text;
using TensorCompress.Tokenization;
using TensorCompress.Tokenization.Merging;

namespace TensorCompress.Tests.Tokenization;

/// <summary>Byte-level BPE from its definition: on strings, one merge at a time. Words are cut by the library's splits, which have an oracle of their own.</summary>
internal sealed class NaiveByteLevelBpe(ByteLevelBpeVocabulary vocabulary)
{
    private readonly Dictionary<string, int> _ids = vocabulary.Tokens.Select((token, id) => (token, id)).Where(entry => entry.token is not null).ToDictionary(entry => entry.token!, entry => entry.id);

    private readonly Dictionary<(string, string), int> _ranks = vocabulary.Merges
        .Select((merge, rank) => (Pair: (vocabulary.Tokens[merge.Left]!, vocabulary.Tokens[merge.Right]!), rank)).ToDictionary(entry => entry.Pair, entry => entry.rank);

    public List<int> Encode(string text)
    {
        var ids = new List<int>();
        foreach (string word in SubwordTokenizer.Words(vocabulary.PreTokenizer.Stages, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text))))
        {
            List<string> symbols = [.. Encoding.UTF8.GetBytes(word).Select(value => ByteAlphabet.Character(value).ToString())];
            while (symbols.Count > 1)
            {
                int best = Enumerable.Range(0, symbols.Count - 1).MinBy(i => _ranks.GetValueOrDefault((symbols[i], symbols[i + 1]), int.MaxValue));
                if (!_ranks.ContainsKey((symbols[best], symbols[best + 1]))) break;
                symbols[best] += symbols[best + 1];
                symbols.RemoveAt(best + 1);
            }

            ids.AddRange(symbols.Where(_ids.ContainsKey).Select(symbol => _ids[symbol]));
        }

        return ids;
    }
}
