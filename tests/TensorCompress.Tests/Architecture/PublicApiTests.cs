using TensorCompress.Tensors;

namespace TensorCompress.Tests.Architecture;

/// <summary>The public surface changes on purpose only: PublicApi.txt beside this file lists it. CONTRIBUTING.md says how to write it anew.</summary>
public class PublicApiTests
{
    private const string Listing = "tests/TensorCompress.Tests/Architecture/PublicApi.txt";
    private const string UpdateVariable = "TENSORCOMPRESS_UPDATE_API";

    [Fact]
    public void The_public_surface_is_the_listed_one()
    {
        string actual = PublicApiWriter.Write(typeof(Matrix<>).Assembly);
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1") File.WriteAllText(Repository.PathOf(Listing), actual);
        string listed = File.Exists(Repository.PathOf(Listing)) ? Repository.Read(Listing).Replace("\r\n", "\n", StringComparison.Ordinal) : "";
        Assert.True(listed == actual, Difference(listed, actual));
    }

    [Fact]
    public void The_listing_tells_declarations_apart()
    {
        string text = PublicApiWriter.Write(typeof(Matrix<>).Assembly);
        Assert.Contains("public sealed class Matrix<T> : IDisposable", text, StringComparison.Ordinal);
        Assert.Contains("public ref T this[nint row, nint column] { get; }", text, StringComparison.Ordinal);
        Assert.Contains("public readonly struct MatrixView<T>", text, StringComparison.Ordinal);
        Assert.Contains("public static int BitWidth(this ElementType type);", text, StringComparison.Ordinal);
        Assert.Contains("public sealed record RecipeRule", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Pointer", text, StringComparison.Ordinal);
    }

    private static string Difference(string listed, string actual)
    {
        string[] before = listed.Split('\n'), after = actual.Split('\n');
        IEnumerable<string> lines = before.Except(after).Select(line => "- " + line.Trim()).Concat(after.Except(before).Select(line => "+ " + line.Trim()));
        return $"The public surface differs from {Listing}. If that is meant, run the tests with {UpdateVariable}=1 and commit the file.\n" + string.Join("\n", lines.Take(40));
    }
}
