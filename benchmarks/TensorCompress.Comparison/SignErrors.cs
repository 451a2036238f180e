using System.Globalization;
using TensorCompress.Calibration;
using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Layers;
using TensorCompress.Models;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>
/// What rounding of activations costs double binary layers on the activations of a model: <c>High</c> and <c>Fast</c> beside exact products of the same factors, all tokens together and the worst token; and, for comparison,
/// what it costs codes of 4 bits with activations of 8 and weights of 16 bits, whose activations are not rounded. <c>--formats</c> are bits per weight (1, 1.5, 2), <c>--sizes</c> blocks counted from 1.
/// Factors are of few rounds: the errors depend on the scales and the activations, hardly on the signs.
/// </summary>
internal static class SignErrors
{
    private const int Context = 512, DefaultTokens = 1024, SolverRounds = 10;

    public static void Run(Options options)
    {
        string path = options.Model ?? throw new ArgumentException("sign-errors needs --model and --text."), text = options.Text ?? throw new ArgumentException("sign-errors needs --model and --text.");
        using LanguageModel model = LanguageModel.Load(path);
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(path);
        int[][] windows = [.. EvaluationWindows.FromText(model.Tokenizer!, File.ReadAllText(text), Math.Min(Context, model.Definition.ContextLength), options.Tokens ?? DefaultTokens)];
        IReadOnlyList<BlockDefinition> blocks = model.Definition.Blocks;
        int[] chosen = [.. (options.Sizes ?? [1, blocks.Count / 2, blocks.Count]).Select(number => number - 1).Where(block => block < blocks.Count).Distinct().Order()];
        Console.WriteLine($"{Path.GetFileName(path)}, {windows.Sum(window => window.Length)} tokens");
        Console.WriteLine("| layer | largest activation over the root mean square | weights | calibrated | activations | relative error | worst token |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        double[] rates = [.. (options.Formats ?? ["1", "1.5", "2"]).Select(text => double.Parse(text, CultureInfo.InvariantCulture))];
        using var run = new BlockwiseRun(model.Weights, windows, ComputePool.Shared);
        foreach (int block in chosen)
        {
            foreach (CalibrationPoint point in CalibrationPoint.Of(blocks[block]))
            {
                run.Advance(block, point.Stage, CancellationToken.None);
                using LayerStatistics statistics = InputMoments.Of(run, ComputePool.Shared).Statistics;
                LinearDefinition linear = point.Linears[0];
                using Matrix<float> weights = LayerExplanation.ReadDense(checkpoint, linear.Name);
                string layer = string.Create(CultureInfo.InvariantCulture, $"| {linear.Name} | {Peak(run.Inputs):F0}");
                foreach (double bits in rates)
                {
                    foreach (LayerStatistics? known in (LayerStatistics?[])[null, statistics])
                        Measure(layer, string.Create(CultureInfo.InvariantCulture, $"dbf, {bits} bits"), weights, run.Inputs, FewRounds(bits, weights), known, SignPrecision.High, SignPrecision.Fast);
                }

                Measure(layer, "int4", weights, run.Inputs, CompressionMethods.ParseOptions("scalar:bits=4"), null, SignPrecision.High);
                Measure(layer, "F16", weights, run.Inputs, CompressionMethods.ParseOptions("dense:type=f16"), null, SignPrecision.High);
            }
        }
    }

    private static DbfOptions FewRounds(double bits, Matrix<float> weights)
    {
        int middle = new DbfOptions(bits).MiddleDimensionFor((int)weights.Rows, (int)weights.Columns);
        return new DbfOptions(bits, diagonalShare: 1, schedule: DbfSchedule.ForRate(middle / (double)nint.Min(weights.Rows, weights.Columns)) with { Rounds = SolverRounds });
    }

    private static void Measure(string layer, string format, Matrix<float> weights, MatrixView<float> inputs, MethodOptions options, LayerStatistics? known, params ReadOnlySpan<SignPrecision> precisions)
    {
        using CompressedWeight weight = options.Method.Compress(weights.View, options, new CompressionContext { Statistics = known });
        using Matrix<float> exact = Product(weight, inputs, RuntimeOptions.Exact);
        foreach (SignPrecision precision in precisions)
        {
            using Matrix<float> rounded = Product(weight, inputs, new RuntimeOptions { Signs = precision });
            (double all, double worst) = Errors(exact, rounded);
            string activations = options is DbfOptions ? precision.ToString() : "default";
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{layer} | {format} | {(known is null ? "no" : "yes")} | {activations} | {all:G2} | {worst:G2} |"));
        }
    }

    private static Matrix<float> Product(CompressedWeight weight, MatrixView<float> inputs, RuntimeOptions options)
    {
        using LinearLayer layer = weight.CreateLayer(options);
        using var context = new ComputeContext(ComputePool.Shared);
        var result = new Matrix<float>(inputs.Rows, layer.OutputDimension);
        layer.Forward(new ActivationBatch(inputs), result.View, context);
        return result;
    }

    /// <summary>Relative errors of all tokens together and of the worst.</summary>
    private static (double All, double Worst) Errors(Matrix<float> exact, Matrix<float> rounded)
    {
        double error = 0, total = 0, worst = 0;
        for (nint token = 0; token < exact.Rows; token++)
        {
            double lost = 0, norm = 0;
            for (int i = 0; i < exact.Columns; i++)
            {
                lost += Math.Pow(exact[token, i] - (double)rounded[token, i], 2);
                norm += exact[token, i] * (double)exact[token, i];
            }

            worst = Math.Max(worst, lost / norm);
            error += lost;
            total += norm;
        }

        return (Math.Sqrt(error / total), Math.Sqrt(worst));
    }

    private static double Peak(MatrixView<float> inputs)
    {
        double largest = 0, sum = 0;
        for (nint token = 0; token < inputs.Rows; token++)
        {
            foreach (float value in inputs.Row(token))
            {
                largest = Math.Max(largest, Math.Abs(value));
                sum += value * (double)value;
            }
        }

        return largest / Math.Sqrt(sum / ((double)inputs.Rows * inputs.Columns));
    }
}
