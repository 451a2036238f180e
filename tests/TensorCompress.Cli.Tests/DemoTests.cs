using System.Text.Json;
using System.Text.RegularExpressions;
using TensorCompress.Cli.Tests.TestKit;
using TensorCompress.Compression;

namespace TensorCompress.Cli.Tests;

public sealed class DemoTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Demo_compresses_with_every_method_and_writes_a_report()
    {
        string report = _folder.File("report.html");
        ToolResult run = ToolProcess.Run("demo", "-o", report, "--json");
        JsonElement result = run.Json();
        Assert.Equal(["report.html"], _folder.Names());

        JsonElement[] rows = [.. result.GetProperty("rows").EnumerateArray()];
        string[] expected = ["dense", .. CompressionMethods.All.SelectMany(method => method.ShowcaseOptions).Where(options => !options.KeepsSource).Select(options => options.Method.Name)];
        Assert.Equal(expected, rows.Select(row => row.GetProperty("method").GetString()));
        AssertPlausible(rows);
        AssertReport(File.ReadAllText(report), rows, result);
    }

    [Fact]
    public void Demo_does_not_replace_a_folder()
    {
        ToolProcess.Run("demo", "-o", _folder.Path).Fails(2);
        Assert.Empty(_folder.Names());
    }

    public void Dispose() => _folder.Dispose();

    private static void AssertPlausible(JsonElement[] rows)
    {
        double dense = rows[0].GetProperty("perplexity").GetDouble();
        Assert.InRange(dense, 3.5, 6.5);
        Assert.Equal(JsonValueKind.Null, rows[0].GetProperty("kl").ValueKind);
        foreach (JsonElement row in rows.Skip(1))
        {
            Assert.InRange(row.GetProperty("perplexity").GetDouble(), dense * 0.97, double.MaxValue);
            Assert.True(row.GetProperty("kl").GetDouble() > 0);
            Assert.True(row.GetProperty("storedBytes").GetInt64() < rows[0].GetProperty("storedBytes").GetInt64());
            Assert.True(row.GetProperty("tokensPerSecond").GetDouble() > 0);
        }
    }

    private static void AssertReport(string html, JsonElement[] rows, JsonElement result)
    {
        Assert.StartsWith("<!DOCTYPE html>", html, StringComparison.Ordinal);
        Assert.DoesNotMatch("(?i)https?://|<link|<script|src=|@import|url\\(", html); // nothing to load from anywhere
        Assert.Equal(rows.Length, Regex.Count(html, "<tr( class=\"(dense|chosen)\")?><td"));
        Assert.Equal(2, Regex.Count(html, "<svg "));
        int marks = Regex.Count(html, "<title>[^<]*: [^<]* bits, ");
        Assert.Equal(2 * (rows.Length - 1), marks);
        string[] legend = [.. Regex.Matches(html, "<g class=\"(s\\d)\"><polyline points=\"[-\\d., ]+\"(?: stroke-dasharray=\"[\\d ]+\")?/><path class=\"mark\" d=\"M[-\\d. ]+([^\"]+)\"/></g>").Select(mark => mark.Groups[1].Value + mark.Groups[2].Value)];
        Assert.Equal(2 * CompressionMethods.All.Count, legend.Length);
        Assert.Equal(CompressionMethods.All.Count, legend.Distinct().Count());
        Assert.Contains("perplexity (lower is better)", html, StringComparison.Ordinal);
        Assert.Contains("mean KL divergence, nats", html, StringComparison.Ordinal);
        Assert.Contains("prefers-color-scheme: dark", html, StringComparison.Ordinal);
        Assert.Contains("tensorcompress demo", html, StringComparison.Ordinal);
        foreach (string name in new[] { "denseText", "compressedText" })
        {
            string text = result.GetProperty(name).GetString()!;
            Assert.True(text.Length > 100, text);
            Assert.Contains(System.Net.WebUtility.HtmlEncode(text[^40..]), html, StringComparison.Ordinal);
        }
    }
}
