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
/// What rounding of activations costs double binary layers on the activations of a model: <c>High</c> and <c>Fast</c> beside exact products of the same factors, all tokens together and the worst token.
/// <c>--sizes</c> are blocks counted from 1. Factors are of few rounds: the errors depend on the scales and the activations, hardly on the signs.
/// </summary>
internal static class SignErrors
{
    private const int Context = 512, DefaultTokens = 1024, SolverRounds = 10;
    private const double Bits = 1.5;

    public static void Run(Options options)
    {
        string path = options.Model ?? throw new ArgumentException("sign-errors needs --model and --text."), text = options.Text ?? throw new ArgumentException("sign-errors needs --model and --text.");
        using LanguageModel model = LanguageModel.Load(path);
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(path);
        int[][] windows = [.. EvaluationWindows.FromText(model.Tokenizer!, File.ReadAllText(text), Math.Min(Context, model.Definition.ContextLength), options.Tokens ?? DefaultTokens)];
        IReadOnlyList<BlockDefinition> blocks = model.Definition.Blocks;
        int[] chosen = [.. (options.Sizes ?? [1, blocks.Count / 2, blocks.Count]).Select(number => number - 1).Where(block => block < blocks.Count).Distinct().Order()];
        Console.WriteLine($"{Path.GetFileName(path)}, {windows.Sum(window => window.Length)} tokens, {Bits} bits per weight");
        Console.WriteLine("| layer | largest activation over the root mean square | calibrated | High | worst token | Fast | worst token |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        using var run = new BlockwiseRun(model.Weights, windows, ComputePool.Shared);
        foreach (int block in chosen)
        {
            foreach (CalibrationPoint point in CalibrationPoint.Of(blocks[block]))
            {
                run.Advance(block, point.Stage, CancellationToken.None);
                using LayerStatistics statistics = InputMoments.Of(run, ComputePool.Shared).Statistics;
                LinearDefinition linear = point.Linears[0];
                using Matrix<float> weights = LayerExplanation.ReadDense(checkpoint, linear.Name);
                foreach (LayerStatistics? known in (LayerStatistics?[])[null, statistics]) Measure(linear.Name, weights, run.Inputs, known);
            }
        }
    }

    private static void Measure(string name, Matrix<float> weights, MatrixView<float> inputs, LayerStatistics? known)
    {
        var options = new DbfOptions(Bits, diagonalShare: 1);
        int middle = options.MiddleDimensionFor((int)weights.Rows, (int)weights.Columns);
        options = new DbfOptions(Bits, diagonalShare: 1, schedule: DbfSchedule.ForRate(middle / (double)nint.Min(weights.Rows, weights.Columns)) with { Rounds = SolverRounds });
        using CompressedWeight weight = DbfMethod.Instance.Compress(weights.View, options, new CompressionContext { Statistics = known });
        using Matrix<float> exact = Product(weight, inputs, SignPrecision.Exact), high = Product(weight, inputs, SignPrecision.High), fast = Product(weight, inputs, SignPrecision.Fast);
        (double highAll, double highWorst) = Errors(exact, high);
        (double fastAll, double fastWorst) = Errors(exact, fast);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {name} | {Peak(inputs):F0} | {(known is null ? "no" : "yes")} | {highAll:G2} | {highWorst:G2} | {fastAll:G2} | {fastWorst:G2} |"));
    }

    private static Matrix<float> Product(CompressedWeight weight, MatrixView<float> inputs, SignPrecision precision)
    {
        using LinearLayer layer = weight.CreateLayer(new RuntimeOptions { Signs = precision });
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
