using System.Text.Json;
using TensorCompress.Templates;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Templates;

/// <summary>Templates render as Python's Jinja2 renders them.</summary>
public sealed class TemplateGoldenTests
{
    private const string Fixtures = "fixtures/chat-templates";

    [Fact]
    public void Constructs_render_as_in_python()
    {
        string[] lines = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Goldens", "Templates", "constructs.jsonl"));
        JsonElement variables = JsonDocument.Parse(lines[0]).RootElement.GetProperty("variables");
        var faults = new List<string>();
        foreach (string line in lines[1..])
        {
            JsonElement row = JsonDocument.Parse(line).RootElement;
            Check(row, row.GetProperty("source").GetString()!, variables, faults);
        }

        Assert.True(lines.Length > 350);
        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    [SharedFact]
    public void Shared_constructs_render_as_in_python()
    {
        var faults = new List<string>();
        int count = 0;
        foreach (JsonElement row in Rows("constructs.jsonl"))
        {
            Check(row, row.GetProperty("source").GetString()!, Variables(row), faults);
            count++;
        }

        Assert.Equal(368, count);
        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    [SharedFact]
    public void Whole_templates_render_as_in_transformers()
    {
        var faults = new List<string>();
        int count = 0, spans = 0;
        foreach (JsonElement row in Rows("cases.jsonl"))
        {
            count++;
            string source = File.ReadAllText(SharedData.Path($"{Fixtures}/{row.GetProperty("template").GetString()}.jinja"));
            RenderedTemplate? rendered = Check(row, source, Variables(row), faults);
            if (rendered is null || !row.TryGetProperty("generation", out JsonElement generation) || generation.ValueKind != JsonValueKind.Array) continue;
            int[][] expected = [.. generation.EnumerateArray().Select(span => span.EnumerateArray().Select(place => place.GetInt32()).ToArray())];
            int[][] actual = [.. rendered.GenerationSpans.Select(span => new[] { TemplateLines.CodePoints(rendered.Text, span.Start), TemplateLines.CodePoints(rendered.Text, span.End) })];
            Assert.Equal(expected, actual);
            spans += expected.Length;
        }

        Assert.Equal(206, count);
        Assert.True(spans > 10);
        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    [SharedFact]
    public void Messages_of_older_versions_have_no_aliases()
    {
        int count = 0;
        foreach (JsonElement row in Rows("cases.jsonl"))
        {
            if (!row.TryGetProperty("text_without_alias", out JsonElement expected) || expected.ValueKind != JsonValueKind.String) continue;
            count++;
            var template = new ChatTemplate(File.ReadAllText(SharedData.Path($"{Fixtures}/{row.GetProperty("template").GetString()}.jinja")));
            ChatTemplateOptions options = Options(row) with { CopiesReasoning = false };
            Assert.Equal(expected.GetString(), template.Render(ChatMessage.ListFromJson(row.GetProperty("messages")), options).Text);
        }

        Assert.NotEqual(0, count);
    }

    // Through the chat template, so that aliases and the variables that are always there are tested with it.
    private static RenderedTemplate? Check(JsonElement row, string source, (IReadOnlyList<ChatMessage> Messages, ChatTemplateOptions Options) variables, List<string> faults) =>
        Check(row, source, () => new ChatTemplate(source).Render(variables.Messages, variables.Options), faults);

    private static RenderedTemplate? Check(JsonElement row, string source, JsonElement variables, List<string> faults) =>
        Check(row, source, () => JinjaTemplate.Parse(source).Render(variables, TemplateLines.Clock), faults);

    private static RenderedTemplate? Check(JsonElement row, string source, Func<RenderedTemplate> render, List<string> faults)
    {
        string? expected = row.TryGetProperty("text", out JsonElement text) ? text.GetString() : null;
        try
        {
            RenderedTemplate rendered = render();
            if (rendered.Text != expected) faults.Add($"{source}\n   gives    {rendered.Text}\n   not      {expected ?? "an error"}");
            return rendered;
        }
        catch (TemplateException fault)
        {
            bool isRaised = row.TryGetProperty("error_kind", out JsonElement kind) && kind.GetString() == "raise_exception";
            if (expected is not null) faults.Add($"{source}\n   fails    {fault.Message}\n   not      {expected}");
            else if (isRaised && fault.Message != row.GetProperty("error").GetString()) faults.Add($"{source}\n   raises   {fault.Message}\n   not      {row.GetProperty("error").GetString()}");
            return null;
        }
    }

    private static IEnumerable<JsonElement> Rows(string file) => File.ReadLines(SharedData.Path($"{Fixtures}/{file}")).Select(line => JsonDocument.Parse(line).RootElement);

    private static (IReadOnlyList<ChatMessage> Messages, ChatTemplateOptions Options) Variables(JsonElement row) => (ChatMessage.ListFromJson(row.GetProperty("messages")), Options(row));

    private static ChatTemplateOptions Options(JsonElement row) => new()
    {
        Tools = Find(row, "tools"),
        Documents = Find(row, "documents"),
        AddGenerationPrompt = Find(row, "add_generation_prompt")?.GetBoolean() ?? false,
        Variables = Find(row, "extra")?.EnumerateObject().ToDictionary(property => property.Name, property => property.Value) ?? [],
        Clock = TemplateLines.Clock,
    };

    private static JsonElement? Find(JsonElement row, string name) => row.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
