using System.Text.RegularExpressions;
using TensorCompress.Compression;
using TensorCompress.Models;

namespace TensorCompress.Tests.Architecture;

/// <summary>What README.md tells people to type exists.</summary>
public partial class ReadmeTests
{
    private const string Tool = "src/TensorCompress.Cli";

    private static string[] CodeLines { get; } =
    [
        .. CodeBlock().Matches(Repository.Read("README.md")).SelectMany(block => block.Groups[1].Value.Replace("\\\n", " ", StringComparison.Ordinal).Split('\n')).Select(line => line.Trim()),
    ];

    [Fact]
    public void Projects_and_solutions_that_commands_name_exist()
    {
        string[] named = [.. CodeLines.Where(line => line.StartsWith("dotnet ", StringComparison.Ordinal)).SelectMany(line => NamedPath().Matches(line)).Select(match => match.Groups[1].Value)];
        Assert.NotEmpty(named);
        Assert.All(named, path => Assert.True(Path.Exists(Repository.PathOf(path)), $"README names {path}, which does not exist"));
    }

    [Fact]
    public void Verbs_that_commands_name_exist()
    {
        string[] verbs = [.. ToolCalls().Select(call => call.Split(' ')[0]).Distinct()];
        Assert.Contains("demo", verbs);
        Assert.All(verbs, verb => Assert.Contains(Repository.Files, file => file.Equals($"{Tool}/Commands/{verb}Command.cs", StringComparison.OrdinalIgnoreCase)));
    }

    [Fact]
    public void Options_that_commands_name_exist()
    {
        string tool = string.Concat(Repository.Sources(Tool).Select(Repository.Read));
        HashSet<string> known = [.. OptionLiteral().Matches(tool).Select(match => match.Groups[1].Value), .. CompressionMethods.All.SelectMany(method => method.Options).Select(option => option.Name)];
        string[] used = [.. ToolCalls().SelectMany(call => UsedOption().Matches(call)).Select(match => match.Groups[1].Value).Distinct()];
        Assert.All(used, option => Assert.True(known.Contains(option), $"README uses --{option}, which the tool does not know"));
    }

    [Fact]
    public void Programs_are_those_of_the_sample()
    {
        // Indentation aside, every line of a C# block stands in the sample, which is built and run.
        HashSet<string> sample = [.. Repository.Sources("samples").SelectMany(file => Repository.Read(file).Split('\n')).Select(line => line.Trim())];
        string[] lines = [.. ProgramBlock().Matches(Repository.Read("README.md")).SelectMany(block => block.Groups[1].Value.Split('\n')).Select(line => line.Trim())];
        Assert.NotEmpty(lines);
        Assert.All(lines, line => Assert.Contains(line, sample));
    }

    [Fact]
    public void Every_method_has_its_row_and_its_stored_form()
    {
        Assert.All(CompressionMethods.All, method =>
        {
            Assert.Contains($"| `{method.Name}` |", Repository.Read("README.md"), StringComparison.Ordinal);
            Assert.Contains($"### `{method.Name}`, version {method.FormatVersion}", Repository.Read("docs/format.md"), StringComparison.Ordinal);
            Assert.All(method.Options, option => Assert.Contains($"`--{option.Name}", Repository.Read("README.md"), StringComparison.Ordinal));
        });
    }

    [Fact]
    public void Every_architecture_is_named() =>
        Assert.All(ModelRegistry.All, architecture => Assert.Contains($"`{architecture.ModelType}`", Repository.Read("README.md"), StringComparison.Ordinal));

    [Fact]
    public void Files_that_documents_link_to_exist()
    {
        foreach (string document in Repository.Files.Where(file => file.EndsWith(".md", StringComparison.Ordinal) && !file.Contains("/Goldens/", StringComparison.Ordinal)))
        {
            foreach (Match link in Link().Matches(Repository.Read(document)))
            {
                string target = Path.Combine(Path.GetDirectoryName(Repository.PathOf(document))!, link.Groups[1].Value);
                Assert.True(Path.Exists(target), $"{document} links to {link.Groups[1].Value}, which does not exist");
            }
        }
    }

    /// <summary>What follows the tool's name in commands.</summary>
    private static IEnumerable<string> ToolCalls()
    {
        foreach (string line in CodeLines)
        {
            Match call = ToolCall().Match(line);
            if (call.Success) yield return call.Groups[1].Value;
        }
    }

    [GeneratedRegex(@"```\w*\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex(@"```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex ProgramBlock();

    [GeneratedRegex(@"(?:^|\s)((?:src|tests|samples|benchmarks)/[\w./-]+|[\w.]+\.sln)")]
    private static partial Regex NamedPath();

    [GeneratedRegex(@"^(?:tensorcompress|dotnet run --project src/TensorCompress\.Cli .*?--) +([a-z].*)$")]
    private static partial Regex ToolCall();

    [GeneratedRegex(@"""--([a-z][a-z-]*)""")]
    private static partial Regex OptionLiteral();

    [GeneratedRegex(@"(?:^|\s)--([a-z][a-z-]*)")]
    private static partial Regex UsedOption();

    [GeneratedRegex(@"\]\((?!https?:|#|mailto:)([^)#]+)")]
    private static partial Regex Link();
}
