using System.Net;
using System.Text;
using TensorCompress.Cli.Demonstration;

namespace TensorCompress.Cli.Reports;

/// <summary>Where and how a report was made, for its footer.</summary>
/// <param name="Cpu">CPU, instruction sets, threads.</param>
/// <param name="Command">The command line.</param>
/// <param name="Version">Version of the tool and of the runtime.</param>
internal sealed record ReportOrigin(string Cpu, string Command, string Version);

/// <summary>The demonstration as one HTML file that needs nothing else: table, two pictures, two texts.</summary>
internal static class DemonstrationPage
{
    private const string Style = """
        :root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6675; --paper: #fbfbfc; --panel: #ffffff; --line: #dfe3e8; --accent: #1f5fbf;
          --c0: #1f6fd1; --c1: #c4520e; --c2: #12805c; --c3: #8b46b8; --c4: #96700a; --c5: #c22f63;
          --c6: #0c8599; --c7: #7a4a2b; --c8: #4a5568; --c9: #5c7a00; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e7eaf0; --soft: #a2acba; --paper: #14171c; --panel: #1b1f26; --line: #323943; --accent: #7fb2ff;
          --c0: #6aa9ff; --c1: #ff9a5c; --c2: #4fcb9f; --c3: #c793ec; --c4: #dcb64c; --c5: #ff86ad;
          --c6: #4fd1e0; --c7: #d1a382; --c8: #b8c2d0; --c9: #b5d334; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
        main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 56px; }
        h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .35em; letter-spacing: -.01em; }
        h2 { font-size: 1.15rem; margin: 2.2em 0 .7em; }
        p.lead { font-size: 1.06rem; color: var(--soft); max-width: 74ch; margin: 0; }
        .panel { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; font-size: .93rem; }
        caption { caption-side: bottom; text-align: left; color: var(--soft); font-size: .86rem; padding: 12px 16px 14px; }
        th, td { padding: 8px 16px; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
        th { font-weight: 600; color: var(--soft); font-size: .82rem; }
        td:nth-child(2) { white-space: normal; overflow-wrap: anywhere; min-width: 22ch; }
        td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
        tr.dense td, tr.chosen td:first-child { font-weight: 600; }
        tr.dense { background: color-mix(in srgb, var(--accent) 9%, transparent); }
        tr.chosen td:first-child::after { content: " *"; color: var(--accent); }
        .plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); gap: 18px; }
        .plots .panel { padding: 14px 12px 6px; }
        .plot { width: 100%; height: auto; display: block; font-family: inherit; }
        .plot text { fill: var(--ink); } .plot .plot-title { font-size: 15px; font-weight: 600; } .plot .axis, .plot .legend { font-size: 13px; }
        .plot .tick { font-size: 12px; fill: var(--soft); } .plot .grid { stroke: var(--line); } .plot .frame { fill: none; stroke: var(--line); }
        .plot .reference { stroke: var(--soft); stroke-dasharray: 5 4; } .plot polyline { fill: none; stroke-width: 1.6; opacity: .55; } .plot .error { stroke-width: 1.4; }
        .plot .mark { stroke: var(--panel); stroke-width: 1; }
        .s0 { stroke: var(--c0); fill: var(--c0); } .s1 { stroke: var(--c1); fill: var(--c1); } .s2 { stroke: var(--c2); fill: var(--c2); }
        .s3 { stroke: var(--c3); fill: var(--c3); } .s4 { stroke: var(--c4); fill: var(--c4); } .s5 { stroke: var(--c5); fill: var(--c5); }
        .s6 { stroke: var(--c6); fill: var(--c6); } .s7 { stroke: var(--c7); fill: var(--c7); } .s8 { stroke: var(--c8); fill: var(--c8); } .s9 { stroke: var(--c9); fill: var(--c9); }
        .texts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 18px; }
        .texts .panel { padding: 16px 20px 18px; } .texts h3 { margin: 0 0 .5em; font-size: .95rem; color: var(--soft); font-weight: 600; }
        .texts p { margin: 0; white-space: pre-wrap; } .texts b { font-weight: 600; color: var(--accent); }
        footer { margin-top: 2.6em; padding-top: 1em; border-top: 1px solid var(--line); color: var(--soft); font-size: .84rem; } code { font-size: .95em; }
        """;

    /// <summary>Makes the page.</summary>
    public static string Create(DemonstrationResult result, ReportOrigin origin)
    {
        var page = new StringBuilder();
        page.Append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.Append("<title>TensorCompress: demonstration</title>\n<style>\n").Append(Style).Append("\n</style>\n</head>\n<body>\n<main>\n");
        page.Append("<h1>One small model, compressed in many ways</h1>\n");
        page.Append($"<p class=\"lead\">{Escape(Lead(result))}</p>\n");
        AppendTable(page, result);
        AppendPlots(page, result);
        AppendTexts(page, result);
        page.Append($"<footer>Made by <code>{Escape(origin.Command)}</code>, {Escape(origin.Version)}, on {Escape(origin.Cpu)}.<br>\n");
        page.Append("Model: stories260K by Andrej Karpathy (MIT). Stories: TinyStories (CDLA-Sharing-1.0).</footer>\n</main>\n</body>\n</html>\n");
        return page.ToString();
    }

    private static string Lead(DemonstrationResult result)
    {
        DemonstrationRow dense = result.Rows[0], chosen = result.Chosen;
        return $"The model that ships with the tool tells short stories with 260,032 parameters. By {chosen.Method} ({chosen.Options}) it takes {Figures.Bytes(chosen.StoredBytes)} "
            + $"instead of {Figures.Bytes(dense.StoredBytes)}, and its perplexity on {result.StoryCount} stories is {Figures.Significant(chosen.Perplexity)} instead of {Figures.Significant(dense.Perplexity)}.";
    }

    private static void AppendTable(StringBuilder page, DemonstrationResult result)
    {
        page.Append("<h2>Every method beside the dense model</h2>\n<div class=\"panel scroll\">\n<table>\n");
        page.Append($"<caption>{Escape(DemonstrationTable.Caption(result))} * wrote the text below.</caption>\n<thead><tr>");
        foreach ((string name, bool isNumber) in DemonstrationTable.Columns) page.Append(isNumber ? "<th class=\"n\">" : "<th>").Append(Escape(name)).Append("</th>");
        page.Append("</tr></thead>\n<tbody>\n");
        foreach (DemonstrationRow row in result.Rows)
        {
            string kind = ReferenceEquals(row, result.Rows[0]) ? " class=\"dense\"" : ReferenceEquals(row, result.Chosen) ? " class=\"chosen\"" : "";
            page.Append($"<tr{kind}>");
            foreach (((string _, bool isNumber), string cell) in DemonstrationTable.Columns.Zip(DemonstrationTable.Cells(row)))
                page.Append(isNumber ? "<td class=\"n\">" : "<td>").Append(Escape(cell)).Append("</td>");
            page.Append("</tr>\n");
        }

        page.Append("</tbody>\n</table>\n</div>\n");
    }

    private static void AppendPlots(StringBuilder page, DemonstrationResult result)
    {
        DemonstrationRow dense = result.Rows[0];
        page.Append("<h2>Error against size</h2>\n<div class=\"plots\">\n<div class=\"panel\">\n");
        page.Append(new ScatterPlot("Perplexity", "bits per weight, all parameters", "perplexity (lower is better)").Draw(
            Series(result, row => row.Perplexity, row => row.PerplexityStandardError), new PlotLine(dense.Perplexity, "dense: " + Figures.Significant(dense.Perplexity))));
        page.Append("</div>\n<div class=\"panel\">\n");
        page.Append(new ScatterPlot("Distance to the dense model", "bits per weight, all parameters", "mean KL divergence, nats").Draw(Series(result, row => row.Kl ?? 0, _ => 0)));
        page.Append("</div>\n</div>\n");
    }

    private static PlotSeries[] Series(DemonstrationResult result, Func<DemonstrationRow, double> value, Func<DemonstrationRow, double> error) =>
    [
        .. result.Rows.Skip(1).Where(row => value(row) > 0 && double.IsFinite(value(row))).GroupBy(row => row.Method).Select(group => new PlotSeries(
            group.Key,
            [.. group.Select(row => new PlotPoint(row.BitsPerWeight, value(row), error(row), $"{row.Options}: {Figures.Bits(row.BitsPerWeight)} bits, {Figures.Significant(value(row))}"))])),
    ];

    private static void AppendTexts(StringBuilder page, DemonstrationResult result)
    {
        DemonstrationRow dense = result.Rows[0], chosen = result.Chosen;
        page.Append("<h2>The same beginning, continued by both</h2>\n<div class=\"texts\">\n");
        AppendText(page, $"Dense, {Figures.Bits(dense.BitsPerWeight)} bits per weight", result.Prompt, result.DenseText);
        AppendText(page, $"{chosen.Method} ({chosen.Options}), {Figures.Bits(chosen.BitsPerWeight)} bits per weight", result.Prompt, result.CompressedText);
        page.Append("</div>\n");
    }

    private static void AppendText(StringBuilder page, string heading, string prompt, string text) =>
        page.Append($"<div class=\"panel\"><h3>{Escape(heading)}</h3><p><b>{Escape(prompt)}</b>{Escape(text[prompt.Length..])}</p></div>\n");

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
