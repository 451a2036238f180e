using System.Reflection;
using System.Text;
using TensorCompress.Tensors;
using Xunit.Abstractions;

namespace TensorCompress.Tests.Architecture;

public class SourceFileTests(ITestOutputHelper output)
{
    private const int MaxLines = 600;

    [Fact]
    public void Files_are_short()
    {
        (int Lines, string File)[] files =
        [
            .. Repository.Files.Where(file => file.EndsWith(".cs", StringComparison.Ordinal))
                .Select(file => (File.ReadLines(Repository.PathOf(file)).Count(), file)).OrderByDescending(entry => entry.Item1),
        ];
        foreach ((int lines, string file) in files.Take(10)) output.WriteLine($"{lines,5} {file}");
        Assert.DoesNotContain(files, entry => entry.Lines > MaxLines);
    }

    [Fact]
    public void No_namespace_has_the_name_of_a_type()
    {
        Type[] types = [.. typeof(Matrix<>).Assembly.GetTypes().Where(type => !type.IsNested && type.Namespace?.StartsWith("TensorCompress", StringComparison.Ordinal) == true)];
        HashSet<string> segments = [.. types.SelectMany(type => type.Namespace!.Split('.'))];
        Assert.Contains("Kernels", segments);
        Assert.DoesNotContain(types, type => segments.Contains(type.Name.Split('`')[0]));
    }

    [Fact]
    public void No_name_says_nothing()
    {
        string[] empty = ["Util", "Utils", "Utilities", "Helper", "Helpers", "Common", "Manager", "Misc", "Impl"];
        Assert.DoesNotContain(Repository.Files, file => Path.GetFileNameWithoutExtension(file) is var name && empty.Any(word => name.EndsWith(word, StringComparison.Ordinal)));
        Assert.DoesNotContain(Repository.Files, file => file.Split('/').SkipLast(1).Any(folder => empty.Contains(folder)));
    }

    [Fact]
    public void The_project_speaks_of_itself_alone()
    {
        // In pieces, so that this file does not hold what it looks for.
        string[] machinePaths = ["/wo" + "rk/", "/ro" + "ot/", "/tm" + "p/wt", "/ho" + "me/", @"C:\Us" + "ers", "nug" + "et.org", "py" + "pi.org"];
        var faults = new List<string>();
        foreach (string file in Repository.Files)
        {
            byte[] bytes = File.ReadAllBytes(Repository.PathOf(file));
            if (bytes.AsSpan(0, Math.Min(bytes.Length, 8192)).Contains((byte)0) || file.Contains("/Goldens/", StringComparison.Ordinal)) continue;
            string text = Encoding.UTF8.GetString(bytes);
            faults.AddRange(machinePaths.Where(path => text.Contains(path, StringComparison.OrdinalIgnoreCase)).Select(path => $"{file} names {path}"));
        }

        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        string solution = Repository.Read("TensorCompress.sln").Replace('\\', '/');
        string[] projects = [.. Repository.Files.Where(file => file.EndsWith(".csproj", StringComparison.Ordinal))];
        Assert.Contains("src/TensorCompress/TensorCompress.csproj", projects);
        Assert.All(projects, project => Assert.Contains($"\"{project}\"", solution, StringComparison.Ordinal));
    }

    [Fact]
    public void Public_types_are_sealed_or_meant_as_a_base()
    {
        IEnumerable<Type> open = typeof(Matrix<>).Assembly.GetExportedTypes().Where(type => type is { IsClass: true, IsSealed: false, IsAbstract: false });
        Assert.DoesNotContain(open, type => !type.GetConstructors(BindingFlags.Instance | BindingFlags.NonPublic).Any(constructor => constructor.IsFamily) && !typeof(Exception).IsAssignableFrom(type));
    }
}
