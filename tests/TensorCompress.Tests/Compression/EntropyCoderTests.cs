using System.Numerics;
using TensorCompress.Compression;
using TensorCompress.Numerics;
using Xunit.Abstractions;

namespace TensorCompress.Tests.Compression;

public sealed class EntropyCoderTests(ITestOutputHelper output)
{
    /// <summary>Kinds of bit and number that sequences are made of.</summary>
    private static readonly int[] Counts = [1, 2, 3, 7, 16, 100, 257, 4096];

    /// <summary>What is coded: a bit of a model (kind below 0), one of n equally likely numbers (kind 0), or a number of a model.</summary>
    private readonly record struct Item(int Kind, int Count, int Number);

    public static TheoryData<string> Sequences() => ["empty", "one bit", "zeros", "ones", "coin tosses", "skewed", "bursts", "numbers", "uniform", "mixed"];

    [Theory]
    [MemberData(nameof(Sequences))]
    public void What_is_coded_is_decoded_and_the_stream_is_that_of_the_definition(string name)
    {
        Item[] items = [.. Sequence(name)];
        byte[] stream = Encode(items);
        (byte[] expected, double bits) = Definition(items);
        Assert.Equal(expected, stream);
        Assert.True(stream.Length * 8 <= bits * 1.0002 + 34, $"{stream.Length} bytes for {bits / 8} bytes of information");
        output.WriteLine($"{items.Length} numbers, {bits / 8:F1} bytes of information, {stream.Length} bytes");

        var decoder = new EntropyDecoder(stream);
        var models = new Models();
        foreach (Item item in items) Assert.Equal(item.Number, models.Code(ref decoder, item with { Number = -1 }));
        Assert.True(decoder.IsWhole);
    }

    [Fact]
    public void Every_alphabet_is_decoded()
    {
        int[] counts = [.. Enumerable.Range(1, 300), 1023, 1024, 4095, 65535, 65536, 65537, (1 << 20) - 1, 1 << 20];
        Item[] items = [.. counts.SelectMany(count => new[] { 0, count - 1, count / 2 }.SelectMany(number => new[] { new Item(0, count, number), new Item(1, count, number) }).Where(item => item.Kind == 0 || item.Count <= 65537))];
        byte[] stream = Encode(items);
        Assert.Equal(Definition(items).Stream, stream);
        var decoder = new EntropyDecoder(stream);
        var models = new Models();
        foreach (Item item in items) Assert.Equal(item.Number, models.Code(ref decoder, item with { Number = -1 }));
        Assert.True(decoder.IsWhole);
    }

    [Theory]
    [InlineData(0x7F, 1)]
    [InlineData(0x7F, 3)]
    [InlineData(0x00, 2)]
    [InlineData(0x7F, 5000)]
    public void A_carry_goes_through_any_number_of_bytes(byte first, int others)
    {
        // Numbers that lead along 7F FF FF ..., then a largest one: the fraction passes 80 00 00 ... when nearly all of its bytes are written.
        byte[] edge = [first, .. Enumerable.Repeat((byte)0xFF, others + 8)];
        var along = new EntropyDecoder(edge);
        var items = new List<Item>();
        for (int left = 2 * (others + 1); left > 0; left--) items.Add(new Item(0, 16, along.Uniform(16, 0)));
        byte[] below = Encode(items);
        items.AddRange(Enumerable.Repeat(new Item(0, 16, 15), 3 * others + 40));
        byte[] stream = Encode(items);
        Assert.Equal(Definition(items).Stream, stream);
        Assert.Equal(first, below[0]);
        var decoder = new EntropyDecoder(stream);
        foreach (Item item in items) Assert.Equal(item.Number, decoder.Uniform(16, 0));
        Assert.True(decoder.IsWhole);
    }

    [Fact]
    public void Carries_are_propagated_as_additions_do()
    {
        // Bits of a model whose lower part is nearly everything: the fraction creeps up, in all phases of the range.
        var random = new SeededRandom(8);
        for (int trial = 0; trial < 40; trial++)
        {
            var items = new List<Item>();
            for (int k = 0; k < 60; k++) items.AddRange(Enumerable.Repeat(new Item(-1 - trial % 3, 2, random.NextInt32(2)), 1 + random.NextInt32(200)));
            for (int k = 0; k < 200; k++) items.Add(new Item(0, 1 << (1 + random.NextInt32(20)), 0) is var item ? item with { Number = item.Count - 1 - random.NextInt32(2) } : default);
            Assert.Equal(Definition(items).Stream, Encode(items));
        }
    }

    [Theory]
    [MemberData(nameof(Sequences))]
    public void Streams_that_are_cut_longer_or_changed_are_known(string name)
    {
        Item[] items = [.. Sequence(name).Take(600)];
        byte[] stream = Encode(items);
        EntropyDecoder Decode(byte[] bytes)
        {
            var decoder = new EntropyDecoder(bytes);
            var models = new Models();
            Item[] found = [.. items];
            for (int i = 0; i < found.Length; i++)
            {
                found[i] = items[i] with { Number = models.Code(ref decoder, items[i]) };
                Assert.InRange(found[i].Number, 0, items[i].Count - 1);
            }

            if (decoder.IsWhole) Assert.Equal(Encode(found), bytes); // what passes is the stream of what was decoded
            return decoder;
        }

        Assert.True(Decode(stream).IsWhole);
        for (int length = 0; length < stream.Length; length++)
        {
            EntropyDecoder cut = Decode(stream[..length]);
            Assert.True(cut.IsCut);
            Assert.False(cut.IsWhole);
        }

        EntropyDecoder longer = Decode([.. stream, 0]);
        Assert.Equal(1, longer.BytesLeft);
        Assert.False(longer.IsWhole);
        int passed = 0;
        for (int bit = 0; bit < stream.Length * 8; bit += 3)
        {
            byte[] changed = [.. stream];
            changed[bit / 8] ^= (byte)(1 << bit % 8);
            if (Decode(changed).IsWhole) passed++;
        }

        output.WriteLine($"{passed} of {stream.Length * 8 / 3} changes give another stream");
        if (name is not ("uniform" or "numbers" or "mixed")) Assert.Equal(0, passed); // another one of equally likely numbers changes nothing behind it
    }

    [Fact]
    public void No_stream_stands_for_more_than_so_many_bytes()
    {
        const int Bits = 1 << 20;
        byte[] stream = Encode(Enumerable.Repeat(new Item(-1, 2, 1), Bits));
        output.WriteLine($"{Bits / 8} bytes in {stream.Length}");
        Assert.InRange(stream.Length, Bits / 8 / EntropyDecoder.MostBytesOfByte, Bits / 8 / 128);
    }

    [Fact]
    public void Probabilities_follow_the_formula_and_keep_their_bounds()
    {
        var random = new SeededRandom(5);
        foreach (double share in new[] { 0, 0.01, 0.5, 0.7, 1 })
        {
            AdaptiveBit model = AdaptiveBit.Unknown;
            long p = 1 << 19;
            for (int n = 0; n < 9000; n++)
            {
                Assert.Equal((uint)(p >> 4), model.Probability);
                Assert.InRange(model.Probability, 256u, 65280u);
                int bit = random.NextDouble() < share ? 0 : 1;
                long target = bit == 0 ? 255 << 12 : 1 << 12, rate = (1 << 22) / (Math.Min(n, 4095) + 5);
                p += (long)Math.Floor((target - p) * rate / (double)(1 << 22) + 0.5);
                model.Learn(bit);
            }

            Assert.Equal(Math.Clamp(share, 0.004, 0.996), model.Probability / 65536.0, 0.02);
        }
    }

    private static IEnumerable<Item> Sequence(string name)
    {
        var random = new SeededRandom(17);
        const int Many = 20_000;
        switch (name)
        {
            case "empty": return [];
            case "one bit": return [new Item(-1, 2, 1)];
            case "zeros": return Enumerable.Repeat(new Item(-1, 2, 0), Many);
            case "ones": return Enumerable.Repeat(new Item(-1, 2, 1), Many);
            case "coin tosses": return [.. Enumerable.Range(0, Many).Select(_ => new Item(-1, 2, random.NextInt32(2)))];
            case "skewed": return [.. Enumerable.Range(0, Many).Select(_ => new Item(-1, 2, random.NextDouble() < 0.03 ? 1 : 0))];
            case "bursts": return [.. Enumerable.Range(0, Many).Select(i => new Item(-1, 2, i / 500 % 2))];
            case "numbers": return [.. Enumerable.Range(0, Many).Select(i => Counts[i % Counts.Length] is var count ? new Item(1, count, (int)(count * random.NextDouble() * random.NextDouble())) : default)];
            case "uniform": return [.. Enumerable.Range(0, Many).Select(i => Counts[i % Counts.Length] is var count ? new Item(0, count, random.NextInt32(count)) : default)];
            default: return [.. Enumerable.Range(0, Many).Select(i => Counts[random.NextInt32(Counts.Length)] is var count ? (i % 3 == 2 ? new Item(-1 - random.NextInt32(3), 2, random.NextInt32(2)) : new Item(i % 3, count, random.NextInt32(count))) : default)];
        }
    }

    private static byte[] Encode(IEnumerable<Item> items)
    {
        var encoder = new EntropyEncoder();
        var models = new Models();
        foreach (Item item in items) Assert.Equal(item.Number, models.Code(ref encoder, item));
        return encoder.Complete();
    }

    /// <summary>The definition in docs/format.md with numbers of any length: <c>low</c> is never cut, so there are no carries.</summary>
    private static (byte[] Stream, double Bits) Definition(IEnumerable<Item> items)
    {
        BigInteger low = 0;
        long range = uint.MaxValue;
        int digits = 4;
        double bits = 0;
        var models = new Dictionary<(int Kind, int Count, int Node), (long Probability, int Count)>();
        void Take(long start, long length)
        {
            bits -= Math.Log2((double)length / range);
            low += start;
            range = length;
            for (; range < 1 << 24; range *= 256, digits++) low *= 256;
        }

        void Bit((int, int, int) model, int bit)
        {
            (long probability, int seen) = models.GetValueOrDefault(model, (1 << 19, 0));
            long lower = range / 65536 * (probability / 16);
            Take(bit == 0 ? 0 : lower, bit == 0 ? lower : range - lower);
            long target = bit == 0 ? 255 << 12 : 1 << 12;
            probability += (long)Math.Floor((target - probability) * ((1 << 22) / (seen + 5)) / (double)(1 << 22) + 0.5);
            models[model] = (probability, Math.Min(seen + 1, 4095));
        }

        foreach (Item item in items)
        {
            if (item.Kind < 0) Bit((item.Kind, 0, 0), item.Number);
            if (item.Kind == 0) Take(item.Number * (range / item.Count), range / item.Count);
            if (item.Kind <= 0) continue;
            int width = 0;
            while (1 << width < item.Count) width++;
            for (int shift = width - 1; shift >= 0; shift--)
            {
                int above = item.Number >> (shift + 1);
                if ((2 * above + 1) << shift < item.Count) Bit((item.Kind, item.Count, (1 << (width - 1 - shift)) + above), item.Number >> shift & 1);
            }
        }

        byte[] all = low.ToByteArray(isUnsigned: true, isBigEndian: true);
        return ([.. new byte[digits - Math.Min(digits, low.IsZero ? 0 : all.Length)], .. low.IsZero ? [] : all], bits);
    }

    private sealed class Models
    {
        private readonly AdaptiveBit[] _bits = [AdaptiveBit.Unknown, AdaptiveBit.Unknown, AdaptiveBit.Unknown];
        private readonly Dictionary<int, AdaptiveNumber> _numbers = [];

        public int Code<TCoder>(ref TCoder coder, Item item)
            where TCoder : struct, IEntropyCoder
        {
            if (item.Kind < 0) return coder.Bit(ref _bits[-1 - item.Kind], item.Number);
            if (item.Kind == 0) return coder.Uniform(item.Count, item.Number);
            if (!_numbers.TryGetValue(item.Count, out AdaptiveNumber? model)) _numbers.Add(item.Count, model = new AdaptiveNumber(item.Count));
            return model.Code(ref coder, item.Number);
        }
    }
}
