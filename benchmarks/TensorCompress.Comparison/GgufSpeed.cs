using System.Globalization;
using System.Text;
using TensorCompress.Storage.Gguf;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>How fast tensors of each GGUF type become floats: bytes written per second, from a file in memory.</summary>
internal static class GgufSpeed
{
    private const int Values = 1 << 24;
    private const int Piece = 1 << 17;

    private static readonly (string Name, uint Id, int BlockValues, int BlockBytes)[] Types =
    [
        ("F32", 0, 1, 4), ("F16", 1, 1, 2), ("BF16", 30, 1, 2), ("Q4_0", 2, 32, 18), ("Q4_1", 3, 32, 20), ("Q5_0", 6, 32, 22), ("Q5_1", 7, 32, 24), ("Q8_0", 8, 32, 34),
        ("Q2_K", 10, 256, 84), ("Q3_K", 11, 256, 110), ("Q4_K", 12, 256, 144), ("Q5_K", 13, 256, 176), ("Q6_K", 14, 256, 210), ("IQ4_NL", 20, 32, 18), ("IQ4_XS", 23, 256, 136),
        ("TQ1_0", 34, 256, 54), ("TQ2_0", 35, 256, 66),
    ];

    public static void Run(Options options)
    {
        var values = new float[Values];
        Console.WriteLine("| type | " + string.Join(" | ", options.Threads.Select(threads => $"GB/s written, {threads} threads, median (best)")) + " |");
        Console.WriteLine("|---|" + string.Concat(options.Threads.Select(_ => "---|")));
        foreach ((string name, uint id, int blockValues, int blockBytes) in Types)
        {
            using GgufFile file = GgufFile.Open(Create(id, blockValues, blockBytes));
            var cells = new List<string>();
            foreach (int threads in options.Threads)
            {
                using var pool = new ComputePool(threads);
                (double median, double best) = Interleaved.Measure(options.Rounds ?? 7, () => Decode(file, values, pool))[0];
                cells.Add(string.Create(CultureInfo.InvariantCulture, $"{Values * 4.0 / median / 1e9:F1} ({Values * 4.0 / best / 1e9:F1})"));
            }

            Console.WriteLine($"| {name} | {string.Join(" | ", cells)} |");
        }
    }

    private static void Decode(GgufFile file, float[] values, ComputePool pool) => pool.For(Values / Piece, 1, (start, end) =>
    {
        for (int piece = (int)start; piece < end; piece++) file.ReadSingles("a", (long)piece * Piece, values.AsSpan(piece * Piece, Piece));
    });

    // One tensor of small scales: bytes that repeat, without NaN.
    private static ReadOnlyMemory<byte> Create(uint id, int blockValues, int blockBytes)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write(1ul);
        writer.Write(0ul);
        writer.Write(1ul);
        writer.Write((byte)'a');
        writer.Write(1u);
        writer.Write((ulong)Values);
        writer.Write(id);
        writer.Write(0ul);
        while (stream.Position % 32 != 0) writer.Write((byte)0);
        for (long i = 0; i < (long)Values / blockValues * blockBytes; i++) writer.Write((byte)(i * 7 % 61));
        return stream.ToArray();
    }
}
