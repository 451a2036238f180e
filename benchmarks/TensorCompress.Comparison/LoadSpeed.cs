using System.Diagnostics;
using System.Globalization;
using TensorCompress.Inference;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>Time until a model is ready beside the time to read its file, both with a warm cache; the first round has the time of compilation in it.</summary>
internal static class LoadSpeed
{
    private const int PieceBytes = 1 << 20;

    public static void Run(Options options)
    {
        string model = options.Model ?? throw new ArgumentException("load needs --model PATH.");
        string file = Directory.Exists(model) ? Path.Combine(model, "model.safetensors") : model;
        Console.WriteLine("| round | read into one buffer, ms | read into new memory, ms | weights ready, ms | weights and tokenizer, ms | resident, MB |");
        Console.WriteLine("|---|---|---|---|---|---|");
        for (int round = 0; round < (options.Rounds ?? 5); round++)
        {
            double reused = Seconds(() => Read(file, keeps: false)), kept = Seconds(() => Read(file, keeps: true));
            GC.Collect();
            // In a new process the first of them pays for compilation, so the whole comes first.
            (double whole, long resident) = Load(model, new LanguageModelOptions());
            (double weights, _) = Load(model, new LanguageModelOptions { WithoutTokenizer = true });
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {round + 1} | {reused * 1e3:F0} | {kept * 1e3:F0} | {weights * 1e3:F0} | {whole * 1e3:F0} | {resident / 1e6:F0} |"));
        }
    }

    private static (double Seconds, long ResidentBytes) Load(string path, LanguageModelOptions options)
    {
        long start = Stopwatch.GetTimestamp();
        using LanguageModel model = LanguageModel.Load(path, options);
        return (Stopwatch.GetElapsedTime(start).TotalSeconds, model.ResidentBytes);
    }

    private static void Read(string path, bool keeps)
    {
        using var handle = File.OpenHandle(path);
        long length = RandomAccess.GetLength(handle);
        var pieces = new byte[(length + PieceBytes - 1) / PieceBytes][];
        ComputePool.Shared.For(pieces.Length, 1, (start, end) =>
        {
            byte[] buffer = new byte[PieceBytes];
            for (nint i = start; i < end; i++)
            {
                if (keeps) buffer = GC.AllocateUninitializedArray<byte>(PieceBytes);
                RandomAccess.Read(handle, buffer, (long)i * PieceBytes);
                pieces[i] = buffer;
            }
        });
        GC.KeepAlive(pieces);
    }

    private static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
