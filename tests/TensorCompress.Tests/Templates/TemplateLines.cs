using System.Text.Json;
using TensorCompress.Templates;

namespace TensorCompress.Tests.Templates;

/// <summary>What tests of templates share: the clock of the goldens, and templates rendered from a few words.</summary>
internal static class TemplateLines
{
    /// <summary>Friday, 2025-07-04 15:08:09.</summary>
    public static TimeProvider Clock { get; } = new StandingClock();

    public static string Render(string source, string variables = "{}", TemplateLimits? limits = null) =>
        JinjaTemplate.Parse(source, limits).Render(JsonDocument.Parse(variables).RootElement, Clock).Text;

    public static TemplateException Fails(string source, TemplateErrorKind kind, string variables = "{}", TemplateLimits? limits = null)
    {
        TemplateException fault = Assert.Throws<TemplateException>(() => Render(source, variables, limits));
        Assert.True(kind == fault.Kind, $"{fault.Kind} instead of {kind}: {fault.Message}");
        if (kind != TemplateErrorKind.Raised) Assert.EndsWith($"[{kind}]", fault.Message, StringComparison.Ordinal);
        return fault;
    }

    /// <summary>A place in UTF-16 units as a place in code points, as Python counts.</summary>
    public static int CodePoints(string text, int units) => text[..units].EnumerateRunes().Count();

    private sealed class StandingClock : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(2025, 7, 4, 15, 8, 9, TimeSpan.Zero);
    }
}
