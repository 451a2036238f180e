using System.Diagnostics;
using System.Text;
using TensorCompress.Templates;

namespace TensorCompress.Tests.Templates;

/// <summary>No template hangs, overflows the stack, takes the memory, or reaches anything but its variables.</summary>
public sealed class TemplateLimitTests
{
    private const long MaxBytes = 64 << 20;

    public static TheoryData<string> Costly => new()
    {
        { "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}" },
        { "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}" },
        { "{{ range(10 ** 9) }}" },
        { "{{ range(0, 10 ** 30, 1) }}" },
        { "{{ 'x' * 10 ** 9 }}" },
        { "{{ 'x' * 10 ** 100 }}" },
        { "{{ [1] * 10 ** 9 }}" },
        { "{{ 10 ** 100000 }}" },
        { "{% set ns = namespace(n=3) %}{% for i in range(1000) %}{% set ns.n = ns.n * ns.n %}{% endfor %}" },
        { "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}" },
        { "{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}" },
        { "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s.replace('', ns.s) %}{% endfor %}" },
        { "{% set ns = namespace(s=[]) %}{% for i in range(100000) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}" },
        { "{% set ns = namespace(s=[]) %}{% for i in range(5000) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}" },
        { "{% set ns = namespace(s=[]) %}{% for i in range(5000) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s|tojson }}" },
        { "{% set ns = namespace(s=[], t=[]) %}{% for i in range(5000) %}{% set ns.s = [ns.s] %}{% set ns.t = [ns.t] %}{% endfor %}{{ ns.s == ns.t }}" },
        { "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}" },
        { "{% set ns = namespace(s=[1], t=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.s == ns.t }}" },
        { "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}" },
        { "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}" },
        { "{% macro a(n) %}{{ b(n) }}{% endmacro %}{% macro b(n) %}{{ a(n) }}{% endmacro %}{{ a(1) }}" },
        { "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}" },
        { "{% macro m() %}{% call m() %}{% endcall %}{{ caller }}{% endmacro %}{{ m() }}" },
        { "{{ '%1000000000d' % 1 }}" },
        { "{{ '%.1000000000f' % 1 }}" },
        { "{{ '{:1000000000}'.format('x') }}" },
        { "{{ 'x'.center(10 ** 9) }}" },
        { "{{ 'x'.ljust(10 ** 9) }}{{ 'x'.zfill(10 ** 9) }}" },
        { "{{ '\t'.expandtabs(10 ** 9) }}" },
        { "{{ 'a\nb'|indent(10 ** 9) }}" },
        { "{{ [1]|batch(10 ** 9, 'x')|list }}" },
        { "{{ [1]|slice(10 ** 9)|list }}" },
        { "{% set s = 'a' * 2000000 %}{% for i in range(100000) %}{{ s.find('a' * 1000 ~ 'b') }}{% endfor %}" },
        { "{% set s = 'a' * 2000000 %}{{ (('a' * 500000) ~ 'b') in s }}" },
        { "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{% if s == s ~ '' %}{% endif %}{% endfor %}" },
        { "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{% if s|upper|trim %}{% endif %}{% endfor %}" },
        { "{% set l = range(100000)|list %}{% for i in range(100000) %}{% if l == l|list %}{% endif %}{% endfor %}" },
        { "{% set l = range(100000)|list %}{% for i in range(100000) %}{% if -1 in l %}{% endif %}{% endfor %}" },
        { "{% set l = range(50000)|list %}{% for i in range(100000) %}{% set x = l|sort %}{% endfor %}" },
        { "{% set l = range(100000)|list %}{% for i in range(100000) %}{{ l[1:]|length }}{% endfor %}" },
        { "{% set d = dict() %}{% set ns = namespace(d={}) %}{% for i in range(100000) %}{% set ns.d = dict(ns.d, **{'k' ~ i: i}) %}{% endfor %}" },
        { "{% set s = '😀' * 500000 %}{% for i in range(100000) %}{{ s[i] }}{% endfor %}" },
        { "{% set s = ('a' * 1000 ~ ' ') * 1000 %}{% for i in range(100000) %}{% set x = s.split() %}{% endfor %}" },
        { "{{ [1] | map('string') | map('string') | map('string') | list }}{% for x in range(100000) %}{{ range(100000)|sum }}{% endfor %}" },
        { "{{ ('a' * 100000)|list|join('b' * 1000) }}" },
        { "{{ ('x ' * 100000)|wordwrap(1)|length }}{{ ('x' * 1000000)|wordwrap(1)|length }}" },
        { "{{ ('ab' * 500000)|urlencode|urlencode|urlencode }}{{ ('<' * 1000000)|escape|escape|escape }}" },
        { "{{ strftime_now('%A' * 1000000) }}" },
        { "{{ (('{' * 1000) ~ ('}' * 1000)).format(1) }}{{ range(10 ** 9)|list }}" },
    };

    [Theory]
    [MemberData(nameof(Costly))]
    public void Costly_templates_end_in_a_typed_error(string source)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        var clock = Stopwatch.StartNew();
        TemplateException fault = Assert.Throws<TemplateException>(() => TemplateLines.Render(source));
        Assert.Equal(TemplateErrorKind.Limit, fault.Kind);
        Assert.True(fault.Line > 0);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < MaxBytes, $"{GC.GetAllocatedBytesForCurrentThread() - before} bytes");
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"{clock.Elapsed}"); // alone about 0.1 s; tests run beside others
    }

    [Theory]
    [InlineData("{{ ", "(", "1", ")", " }}")]
    [InlineData("{{ ", "[", "1", "]", " }}")]
    [InlineData("{{ ", "{1: ", "1", "}", " }}")]
    [InlineData("{{ ", "-", "1", "", " }}")]
    [InlineData("{{ ", "not ", "1", "", " }}")]
    [InlineData("{{ ", "1 if 1 else ", "1", "", " }}")]
    [InlineData("{{ ", "x[", "1", "]", " }}")]
    [InlineData("{{ ", "f(", "1", ")", " }}")]
    [InlineData("{{ ", "f(a=", "1", ")", " }}")]
    [InlineData("{{ ", "1|f(", "1", ")", " }}")]
    [InlineData("{{ ", "1 is f(", "1", ")", " }}")]
    [InlineData("", "{% if 1 %}", "1", "{% endif %}", "")]
    [InlineData("", "{% if 0 %}{% else %}", "1", "", "")]
    [InlineData("", "{% for x in [1] %}", "1", "{% endfor %}", "")]
    [InlineData("", "{% macro m() %}", "1", "{% endmacro %}", "")]
    [InlineData("", "{% call m() %}", "1", "{% endcall %}", "")]
    [InlineData("", "{% filter upper %}", "1", "{% endfilter %}", "")]
    [InlineData("", "{% set x %}", "1", "{% endset %}", "")]
    [InlineData("", "{% with %}", "1", "{% endwith %}", "")]
    [InlineData("", "{% generation %}", "1", "{% endgeneration %}", "")]
    [InlineData("{% for ", "(", "x", ",)", " in [] %}{% endfor %}")]
    public void Deep_nesting_is_refused_when_it_is_parsed(string before, string open, string inner, string close, string after)
    {
        string source = new StringBuilder(before).Insert(before.Length, open, 10_000).Append(inner).Insert(before.Length + (open.Length * 10_000) + inner.Length, close, 10_000).Append(after).ToString();
        TemplateLines.Fails(source, TemplateErrorKind.Limit);
    }

    [Theory]
    [InlineData("{{ 1", "+1", " }}")]
    [InlineData("{{ x", ".y", " }}")]
    [InlineData("{{ 1", " and 1", " }}")]
    [InlineData("{{ 1", "|string", " }}")]
    [InlineData("{{ 1", " if 1", " }}")]
    public void Long_chains_end_in_a_text_or_a_typed_error(string before, string link, string after)
    {
        string source = new StringBuilder(before).Insert(before.Length, link, 60_000).Append(after).ToString();
        try
        {
            TemplateLines.Render(source);
        }
        catch (TemplateException fault)
        {
            Assert.True(fault.Kind is TemplateErrorKind.Limit or TemplateErrorKind.Undefined, fault.Message);
        }
    }

    [Fact]
    public void Long_chats_are_far_from_the_bounds()
    {
        string messages = string.Join(',', Enumerable.Range(0, 2000).Select(i => $$"""{"role": "{{(i % 2 == 0 ? "user" : "assistant")}}", "content": "{{new string('x', 500)}}"}"""));
        const string source = "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('no') }}{% endif %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] | trim + '<|im_end|>' + '\n' }}{% endfor %}";
        Assert.True(TemplateLines.Render(source, $$"""{"messages": [{{messages}}]}""").Length > 1_000_000);
    }

    [Theory]
    [InlineData("{% include 'x' %}", "include")]
    [InlineData("{% import 'x' as y %}", "import")]
    [InlineData("{% from 'x' import y %}", "from")]
    [InlineData("{% extends 'x' %}", "extends")]
    public void Other_templates_are_refused_by_name(string source, string tag) => Assert.Contains(tag, TemplateLines.Fails(source, TemplateErrorKind.Forbidden).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{{ ''.__class__ }}")]
    [InlineData("{{ [].append }}")]
    [InlineData("{{ {}['__class__'] }}")]
    [InlineData("{{ ''|attr('__class__') }}")]
    [InlineData("{{ [''] | map(attribute='__class__') | join }}")]
    [InlineData("{{ environ }}{{ System }}{{ open }}{{ self }}{{ config }}")]
    public void What_is_behind_a_value_is_undefined(string source) => Assert.Equal("", TemplateLines.Render(source));

    [Theory]
    [InlineData("a\nb{{ x.y }}", 2, 6, TemplateErrorKind.Undefined)]
    [InlineData("a\r\n  {% if 1 %}", 2, 13, TemplateErrorKind.Syntax)]
    [InlineData("{{ 1 + 'a' }}", 1, 6, TemplateErrorKind.Value)]
    [InlineData("{{ 1|nosuch }}", 1, 6, TemplateErrorKind.Unsupported)]
    [InlineData("{% nosuch %}", 1, 4, TemplateErrorKind.Unsupported)]
    [InlineData("\n\n{{ raise_exception('no') }}", 3, 19, TemplateErrorKind.Raised)]
    public void Errors_say_where_and_what(string source, int line, int column, TemplateErrorKind kind)
    {
        TemplateException fault = TemplateLines.Fails(source, kind);
        Assert.Equal((line, column), (fault.Line, fault.Column));
    }

    [Fact]
    public void Messages_of_errors_are_short_and_printable_but_what_a_template_raises_is_handed_on()
    {
        string message = TemplateLines.Fails("{{ 1|a" + new string('b', 100_000) + " }}", TemplateErrorKind.Unsupported).Message;
        Assert.InRange(message.Length, 1, 512);
        Assert.DoesNotContain(TemplateLines.Fails("{{ {}['\u001b[2J'].x }}", TemplateErrorKind.Undefined).Message, char.IsControl);
        Assert.Equal("a\n\"b\"", TemplateLines.Fails("{{ raise_exception('a\\n\"b\"') }}", TemplateErrorKind.Raised).Message);
    }
}
