using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Compression.Scalar;
using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Pipeline;
using TensorCompress.Tensors;
using TensorCompress.Threading;

// TensorCompress.Sample [MODEL]: continues a prompt, compresses the model, continues it again, and multiplies with one compressed matrix.
string path = args.Length > 0 ? args[0] : Path.Combine(AppContext.BaseDirectory, "stories260K", "stories260K.bin");
string output = Path.Combine(Path.GetTempPath(), "tensorcompress-sample-" + Guid.NewGuid().ToString("n"));
try
{
    await ContinueAsync(path);
    await CompressAsync(path, output);
    await ContinueAsync(output);
    MultiplyOneMatrix();
}
finally
{
    if (Directory.Exists(output)) Directory.Delete(output, recursive: true);
}

static async Task ContinueAsync(string path)
{
    Console.Write("Once upon a time");
    using var model = LanguageModel.Load(path); // owns the weights, immutable, thread-safe
    await using var session = model.CreateSession(); // one text: cache and position, for one thread at a time
    await foreach (GeneratedPiece piece in session.GenerateAsync("Once upon a time", new GenerationOptions { MaxTokens = 60 })) Console.Write(piece.Text);
    Console.WriteLine();
}

static async Task CompressAsync(string path, string output)
{
    ModelDefinition definition;
    using (ModelCheckpoint checkpoint = ModelCheckpoint.Open(path)) definition = checkpoint.Definition;
    MethodOptions blocks = new ScalarOptions(bits: 4, group: 32), head = new ScalarOptions(bits: 8);
    CompressionRecipe recipe = CompressionRecipes.ForBlocks(definition, blocks, head);
    CompressionReport report = await ModelCompressor.CompressAsync(path, output, new CompressionJobOptions { Recipe = recipe });
    Console.WriteLine($"{report.Size.BitsPerWeight:0.00} bits per weight");
}

static void MultiplyOneMatrix()
{
    const int rows = 64, columns = 96;
    float[] weights = new float[rows * columns];
    for (int i = 0; i < weights.Length; i++) weights[i] = MathF.Sin(i / columns + 0.3f * (i % columns));
    using var input = new Matrix<float>(1, columns, [.. Enumerable.Repeat(1f, columns)]);
    using var result = new Matrix<float>(1, rows);
    using var context = new ComputeContext(ComputePool.Shared);

    using var layer = MpoLayer.FromDense(weights, rows, columns, chi: 16);
    layer.Forward(new ActivationBatch(input.View), result.View, context);
    Console.WriteLine($"{layer.ResidentBytes} bytes instead of {weights.Length * sizeof(float)}, first result {result[0, 0]:0.000}");
}
