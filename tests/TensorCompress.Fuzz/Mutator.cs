using System.Buffers.Binary;
using System.Text;

namespace TensorCompress.Fuzz;

/// <summary>Seeded changes of bytes; the same seed gives the same inputs.</summary>
public sealed class Mutator(int seed)
{
    private static readonly ulong[] Boundaries =
        [0, 1, 2, 31, 32, 64, 255, 256, 4096, 0x10000, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 1UL << 40, 1UL << 61, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF];

    private readonly Random _random = new(seed);

    public int Next(int count) => _random.Next(count);

    public bool Chance(int percent) => _random.Next(100) < percent;

    public T Pick<T>(IReadOnlyList<T> items) => items[_random.Next(items.Count)];

    /// <summary>A number at a border of what formats can hold, or near the size of the file.</summary>
    public ulong Boundary(int length)
    {
        ulong value = Chance(70) ? Pick(Boundaries) : (ulong)length;
        return Chance(30) ? unchecked(value + (ulong)(_random.Next(5) - 2)) : value;
    }

    /// <summary>One to three changes of any bytes.</summary>
    /// <param name="input">The bytes.</param>
    /// <param name="from">Where changes begin.</param>
    /// <param name="to">Where they end.</param>
    public byte[] Bytes(byte[] input, int from = 0, int to = int.MaxValue)
    {
        for (int count = 1 + Next(3); count > 0; count--) input = Change(input, from, Math.Min(to, input.Length));
        return input;
    }

    private byte[] Change(byte[] input, int from, int to)
    {
        if (to <= from) return [.. input, (byte)Next(256)];
        int at = from + Next(to - from);
        byte[] copy = [.. input];
        switch (Next(8))
        {
            case 0:
                copy[at] ^= (byte)(1 << Next(8));
                return copy;
            case 1:
                copy[at] = (byte)Next(256);
                return copy;
            case 2:
                return input[..at];
            case 3:
                return [.. input[..at], .. input[Math.Min(input.Length, at + 1 + Next(16))..]];
            case 4:
                int length = Math.Min(input.Length - at, 1 + Next(32));
                return [.. input[..at], .. input.AsSpan(at, length), .. input[at..]];
            case 5:
                return [.. input, .. new byte[1 + Next(8)]];
            case 6:
                if (at + 4 <= copy.Length) BinaryPrimitives.WriteUInt32LittleEndian(copy.AsSpan(at), (uint)Boundary(input.Length));
                return copy;
            default:
                if (at + 8 <= copy.Length) BinaryPrimitives.WriteUInt64LittleEndian(copy.AsSpan(at), Boundary(input.Length));
                return copy;
        }
    }

    /// <summary>One or two changes of the words of a text: some go, come twice, change places, or come from elsewhere.</summary>
    public byte[] Words(byte[] input, IReadOnlyList<string> dictionary)
    {
        List<string> words = Split(Encoding.UTF8.GetString(input));
        for (int count = 1 + Next(2); count > 0 && words.Count > 0; count--)
        {
            int at = Next(words.Count), other = Next(words.Count);
            switch (Next(6))
            {
                case 0:
                    words.RemoveAt(at);
                    break;
                case 1:
                    words.Insert(at, words[other]);
                    break;
                case 2:
                    (words[at], words[other]) = (words[other], words[at]);
                    break;
                case 3:
                    words[at] = Pick(dictionary);
                    break;
                case 4:
                    words.Insert(at, Pick(dictionary));
                    break;
                default:
                    words.InsertRange(at, words.GetRange(other, Math.Min(words.Count - other, 1 + Next(12))));
                    break;
            }
        }

        return Encoding.UTF8.GetBytes(string.Concat(words));
    }

    // Runs of letters and digits, runs of blanks, and single other characters.
    private static List<string> Split(string text)
    {
        var words = new List<string>();
        for (int start = 0; start < text.Length;)
        {
            int end = start + 1;
            if (char.IsLetterOrDigit(text[start])) while (end < text.Length && char.IsLetterOrDigit(text[end])) end++;
            else if (text[start] == ' ') while (end < text.Length && text[end] == ' ') end++;
            words.Add(text[start..end]);
            start = end;
        }

        return words;
    }
}
