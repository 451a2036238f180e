using System.Globalization;
using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Compression.Mpo.Fitting;
using TensorCompress.Evaluation;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>
/// Races of splits with nobody taken out: every candidate of every layer goes on for the default number of sweeps. Tells how many sweeps show the winner, and how far losses fall afterwards: what a race may go by.
/// <c>--sizes</c> are blocks, <c>--formats</c> shares of the parameters, <c>--rounds</c> times 512 tokens of the text.
/// </summary>
internal static class SplitRaces
{
    public static void Run(Options options)
    {
        string path = options.Model ?? throw new ArgumentException("split-races needs --model and --text."), text = options.Text ?? throw new ArgumentException("split-races needs --model and --text.");
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(path);
        using LanguageModel model = LanguageModel.Load(path);
        if (model.Tokenizer is null) throw new ArgumentException("The model has no tokenizer.");
        IReadOnlyList<int[]> windows = EvaluationWindows.FromText(model.Tokenizer, File.ReadAllText(text), Math.Min(512, model.Definition.ContextLength), (options.Rounds ?? 16) * 512);
        var races = new List<Race>();
        Console.WriteLine("| layer | share | best of all | best with sweeps | its place at the start | after one sweep | its loss at the end over that at the start | after one sweep | after two |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        CalibratedBlocks.Collect(model, windows, options.Sizes ?? [1], (layer, statistics) =>
        {
            using Matrix<float> weights = LayerExplanation.ReadDense(checkpoint, layer);
            AttentionHeads? heads = checkpoint.Definition.HeadsOf(checkpoint.Definition.Linears.First(linear => linear.Name == layer));
            foreach (string share in options.Formats ?? ["0.5"])
            {
                if (Measure(weights, statistics, heads, double.Parse(share, CultureInfo.InvariantCulture)) is not { } race) continue;
                races.Add(race);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {layer} | {share} | {race.Best} | {race.Winner} | {race.PlaceAtStart} | {race.PlaceAfterOne} | {race.FallFromStart:F2} | {race.FallFromOne:F3} | {race.FallFromTwo:F3} |"));
            }
        });
        Race[] toWin = [.. races.Where(race => race.Best == race.Winner)];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"In {races.Count(race => race.PlaceAfterOne == 1)} of {races.Count} races the best with sweeps was in front after one; in {toWin.Length} it beat the product of two matrices. Least share left at the end of a loss after one sweep {races.Min(race => race.FallFromOne):F3} ({toWin.Select(race => race.FallFromOne).DefaultIfEmpty(1).Min():F3} where it won), after two {races.Min(race => race.FallFromTwo):F3} ({toWin.Select(race => race.FallFromTwo).DefaultIfEmpty(1).Min():F3})."));
    }

    private static Race? Measure(Matrix<float> weights, LayerStatistics statistics, AttentionHeads? heads, double share)
    {
        int rows = (int)weights.Rows, columns = (int)weights.Columns;
        MpoOptions options = MpoOptions.WithShare(share);
        var budget = new SplitBudget((long)(share * rows * columns));
        var problem = new FitProblem(weights.View, SiteFactors.Balanced(rows, columns, options.Sites), ComputePool.Shared, null);
        var losses = new List<(string Split, double[] Losses)>();
        foreach (SiteFactors factors in FactorSearch.Mixed(problem, options, budget, heads, statistics, CancellationToken.None))
        {
            FitProblem split = problem.With(factors);
            using Matrix<double> metric = split.Metric(statistics, options.Ridge);
            using OutputFit fit = SplitRace.Runner(split, metric, budget, CancellationToken.None);
            if (!fit.IsExact) fit.Run(options.Sweeps, progress: null, CancellationToken.None);
            losses.Add((factors.ToString(), fit.IsExact ? [fit.Loss!.Value] : [.. fit.Losses]));
        }

        (string Split, double[] Losses)[] swept = [.. losses.Where(candidate => candidate.Losses.Length > 1)];
        if (swept.Length == 0) return null;
        (string name, double[] path) = swept.MinBy(candidate => candidate.Losses[^1]);
        static double After(double[] losses, int sweeps) => losses[Math.Min(sweeps, losses.Length - 1)];
        int Place(int sweeps) => 1 + swept.Count(candidate => After(candidate.Losses, sweeps) < After(path, sweeps));
        return new Race(losses.MinBy(candidate => candidate.Losses[^1]).Split, name, Place(0), Place(1), path[^1] / path[0], path[^1] / After(path, 1), path[^1] / After(path, 2));
    }

    private sealed record Race(string Best, string Winner, int PlaceAtStart, int PlaceAfterOne, double FallFromStart, double FallFromOne, double FallFromTwo);
}
