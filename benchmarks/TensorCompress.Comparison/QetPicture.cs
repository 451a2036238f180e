using System.Globalization;
using System.Text;
using TensorCompress.Cli.Reports;

namespace TensorCompress.Comparison;

/// <summary>Errors over bits as an SVG: a plot for each kind of matrices, two beside each other, with the bound of normal numbers.</summary>
internal static class QetPicture
{
    private static readonly string[] Colours = ["#1f6fd1", "#c4520e", "#12805c", "#8b46b8", "#b08900", "#d6336c", "#0c8599", "#7a4a2b", "#343a40", "#5c7a00"];

    public static string Draw(IReadOnlyList<Panel> panels)
    {
        const int Width = 580, Height = 440;
        string style = "text{font-family:sans-serif;fill:#222}.plot-title{font-size:15px;font-weight:600}.axis,.legend{font-size:13px}.tick{font-size:12px;fill:#666}.grid,.frame{stroke:#ddd;fill:none}"
            + "polyline{fill:none;stroke-width:1.6;opacity:.6}.mark{stroke:#fff}" + string.Concat(Colours.Select((colour, index) => $".s{index}{{stroke:{colour};fill:{colour}}}"));
        int rows = (panels.Count + 1) / 2;
        var page = new StringBuilder().Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {2 * Width} {rows * Height}\" width=\"{2 * Width}\" height=\"{rows * Height}\">\n<style>{style}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
        for (int i = 0; i < panels.Count; i++)
        {
            PlotPoint[] points = [.. panels[i].Series.SelectMany(series => series.Points)];
            double least = points.Min(point => point.X), most = points.Max(point => point.X);
            PlotSeries bound = new("Gaussian bound", [.. new[] { least, most }.Select(bits => new PlotPoint(bits, Math.Pow(2, -2 * bits), 0, "2^-2R"))]);
            string plot = new ScatterPlot(panels[i].Name, "stored bits per number", "squared error over that of zeros").Draw([bound, .. panels[i].Series]);
            page.Append(plot.Replace("<svg ", string.Create(CultureInfo.InvariantCulture, $"<svg x=\"{i % 2 * Width}\" y=\"{i / 2 * Height}\" width=\"{Width}\" height=\"{Height}\" "), StringComparison.Ordinal));
        }

        return page.Append("</svg>\n").ToString();
    }

    /// <summary>A plot.</summary>
    /// <param name="Name">Its title.</param>
    /// <param name="Series">A line for each method; may have no points, but not all.</param>
    internal sealed record Panel(string Name, IReadOnlyList<PlotSeries> Series);
}
