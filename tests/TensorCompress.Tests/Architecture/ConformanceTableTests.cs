using System.Globalization;
using System.Text.RegularExpressions;

namespace TensorCompress.Tests.Architecture;

/// <summary>Every row of the table of malformed and borderline files has its tests, or a reason why there is nothing to test.</summary>
public sealed partial class ConformanceTableTests
{
    private static readonly Dictionary<char, int> RowsOfPart = new() { ['S'] = 69, ['X'] = 10, ['G'] = 50, ['T'] = 23, ['Z'] = 10, ['C'] = 15 };

    [Fact]
    public void Every_row_is_in_the_table_and_every_test_that_it_names_is_there()
    {
        string folder = Path.Combine(Repository.Root, "tests", "TensorCompress.Tests");
        HashSet<string> sources = [.. Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/'))];
        var listed = new HashSet<string>();
        foreach (string line in File.ReadLines(Path.Combine(folder, "Storage", "README.md")).Where(line => Rows().IsMatch(line)))
        {
            string[] cells = line.Trim('|', ' ').Split(" | ");
            listed.UnionWith(Expand(cells[0]));
            string[] tests = [.. Names().Matches(cells[1]).Select(match => match.Groups[1].Value)];
            Assert.True(tests.Length > 0 || cells[1].StartsWith("no subject", StringComparison.Ordinal), line);
            Assert.All(tests.Where(name => !name.StartsWith('.')), name => Assert.True(sources.Contains(name + ".cs") || sources.Contains($"Storage/{name}.cs"), $"there is no {name}"));
        }

        string[] all = [.. RowsOfPart.SelectMany(part => Enumerable.Range(1, part.Value).Select(number => Id(part.Key, number)))];
        Assert.Equal(177, all.Length);
        Assert.Empty(all.Except(listed));
        Assert.Empty(listed.Except(all));
    }

    // "S-01 to S-12, S-38 (accepted)"
    private static IEnumerable<string> Expand(string cell)
    {
        foreach (Match match in Range().Matches(cell))
        {
            int first = int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture);
            int last = match.Groups[3].Success ? int.Parse(match.Groups[3].Value, CultureInfo.InvariantCulture) : first;
            for (int number = first; number <= last; number++) yield return Id(match.Groups[1].Value[0], number);
        }
    }

    private static string Id(char part, int number) => string.Create(CultureInfo.InvariantCulture, $"{part}-{number:00}");

    [GeneratedRegex(@"^\| [SXGTZC]-\d\d")]
    private static partial Regex Rows();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Names();

    [GeneratedRegex(@"([SXGTZC])-(\d\d)(?: to [SXGTZC]-(\d\d))?")]
    private static partial Regex Range();
}
