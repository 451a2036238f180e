using System.Buffers.Binary;

namespace TensorCompress.Cli.Tests.TestKit;

/// <summary>The model that ships with the tool, compressed once for all tests, and broken variants of it.</summary>
internal static class Stories
{
    public const string Name = "stories260K";

    private static readonly TemporaryFolder Made = MakeFolder();
    private static readonly Lazy<string> ScalarFolder = new(() => Compress("scalar", "--method", "scalar", "--bits", "4", "--head", "scalar:8"));
    private static readonly Lazy<string> MpoFolder = new(() => Compress("mpo", "--method", "mpo", "--chi", "56", "--cores", "f16"));

    /// <summary>4-bit scalar blocks, 8-bit embedding.</summary>
    public static string Scalar => ScalarFolder.Value;

    /// <summary>Matrix product operators with bond dimension 56 and 16-bit cores; 64 would be exact for the square matrices.</summary>
    public static string Mpo => MpoFolder.Value;

    private static string ToolFolder => Path.GetDirectoryName(ToolProcess.AssemblyPath)!;

    public static string ModelFile => Path.Combine(ToolFolder, "Models", Name, Name + ".bin");

    public static string VocabularyFile => Path.Combine(ToolFolder, "Models", Name, "tok512.bin");

    public static string Texts => Path.Combine(ToolFolder, "Resources", "stories.txt");

    /// <summary>The arguments of a short evaluation.</summary>
    public static string[] Evaluation { get; } = ["--text", Texts, "--documents", "<|endoftext|>", "--max-documents", "4", "--json"];

    /// <summary>The file with one weight of the first block replaced by NaN.</summary>
    public static void WriteWithNan(string path)
    {
        byte[] bytes = File.ReadAllBytes(ModelFile);
        const int header = 28, embedding = 512 * 64 * 4, attentionNorms = 5 * 64 * 4;
        BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(header + embedding + attentionNorms + 400), float.NaN);
        File.WriteAllBytes(path, bytes);
    }

    /// <summary>A llama2.c model of random weights that takes some seconds to compress.</summary>
    public static void WriteLarge(string path)
    {
        const int dimension = 384, hidden = 1024, layers = 12, heads = 6, vocabulary = 512, context = 64;
        int[] header = [dimension, hidden, layers, heads, heads, vocabulary, context];
        using var writer = new BinaryWriter(File.Create(path));
        foreach (int value in header) writer.Write(value);
        var random = new Random(1);
        void Weights(long count)
        {
            for (long i = 0; i < count; i++) writer.Write((random.NextSingle() - 0.5f) * 0.1f);
        }

        void Ones(int count)
        {
            for (int i = 0; i < count; i++) writer.Write(1f);
        }

        Weights(vocabulary * dimension);
        Ones(layers * dimension);
        for (int matrix = 0; matrix < 4; matrix++) Weights(layers * dimension * dimension); // queries, keys, values, output
        Ones(layers * dimension);
        for (int matrix = 0; matrix < 3; matrix++) Weights(layers * dimension * hidden); // gate, down, up
        Ones(dimension);
        Weights(context * (dimension / heads)); // rotary tables, recomputed by readers
    }

    private static string Compress(string name, params string[] method)
    {
        string output = Made.File(name);
        ToolProcess.Run(["compress", Name, "-o", output, .. method]).Succeeds();
        return output;
    }

    private static TemporaryFolder MakeFolder()
    {
        var folder = new TemporaryFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        return folder;
    }
}
