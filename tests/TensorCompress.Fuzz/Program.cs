using System.Globalization;
using TensorCompress.Fuzz;

// dotnet run -c Release -- [--runs N] [--first N] [--target NAME] [--save FOLDER]
// Runs N inputs per target (default 10,000), prints a line for each target, and ends with 1 where anything is wrong.
long runs = 10_000;
int first = 1;
string? only = null, save = null;
for (int i = 0; i + 1 < args.Length; i += 2)
{
    switch (args[i])
    {
        case "--runs": runs = long.Parse(args[i + 1], CultureInfo.InvariantCulture); break;
        case "--first": first = int.Parse(args[i + 1], CultureInfo.InvariantCulture); break;
        case "--target": only = args[i + 1]; break;
        case "--save": save = args[i + 1]; break;
        default: throw new ArgumentException($"There is no option {args[i]}.");
    }
}

bool isWrong = false;
using var targets = new FuzzTargets();
foreach (FuzzTarget target in targets.All.Where(target => only is null || target.Name == only))
{
    FuzzRun run = FuzzRun.Of(target, first, runs);
    Console.WriteLine(run);
    string[] wrong = [.. run.Faults, .. runs >= 1000 ? run.Gaps() : []];
    isWrong |= wrong.Length > 0;
    foreach (string what in wrong) Console.WriteLine("  WRONG " + what);
    for (int i = 0; save is not null && i < run.FaultyInputs.Count; i++)
    {
        Directory.CreateDirectory(save);
        File.WriteAllBytes(Path.Combine(save, $"{target.Name}-{i}.bin"), run.FaultyInputs[i]);
    }
}

return isWrong ? 1 : 0;
