using System.Globalization;
using System.Net;
using System.Text;

namespace TensorCompress.Cli.Reports;

/// <summary>A point of a plot.</summary>
/// <param name="X">Horizontal value, positive.</param>
/// <param name="Y">Vertical value, positive.</param>
/// <param name="Error">Half length of the error bar; 0 for none.</param>
/// <param name="Label">What a pointer on the point shows.</param>
internal sealed record PlotPoint(double X, double Y, double Error, string Label);

/// <summary>The points of one method, joined by a line from left to right.</summary>
internal sealed record PlotSeries(string Name, IReadOnlyList<PlotPoint> Points);

/// <summary>A horizontal line to compare with.</summary>
internal sealed record PlotLine(double Y, string Label);

/// <summary>An inline SVG with logarithmic axes, error bars and a legend. Colours and shapes come from classes that the page's style sheet defines for light and dark.</summary>
internal sealed class ScatterPlot(string title, string horizontalTitle, string verticalTitle)
{
    /// <summary>Colours, <c>s0</c> to <c>s9</c>, which the page defines.</summary>
    public const int ColourCount = 10;

    /// <summary>Shapes of marks. When all are used lines take the next pattern of dashes, so that 30 series differ.</summary>
    private const int ShapeCount = 6;

    private static readonly string[] Dashes = ["", " stroke-dasharray=\"6 3\"", " stroke-dasharray=\"2 3\""];

    private const double Width = 560, PlotHeight = 270, Left = 74, Right = 18, Bottom = 58, LegendTop = 42, LegendRow = 18;

    private readonly StringBuilder _svg = new();

    // The frame lies below the legend, which takes as many rows as it needs.
    private double _top;

    private double Height => _top + PlotHeight + Bottom;

    /// <summary>Draws the plot.</summary>
    /// <param name="series">Series with positive finite values.</param>
    /// <param name="line">A line to compare with; may be null.</param>
    public string Draw(IReadOnlyList<PlotSeries> series, PlotLine? line = null)
    {
        (double X, double Y)[] legend = LegendPlaces(series);
        _top = legend.Max(place => place.Y) + 20;
        PlotPoint[] points = [.. series.SelectMany(one => one.Points)];
        var horizontal = new LogAxis([.. points.Select(point => point.X)], Left, Width - Right, inBits: true);
        double[] heights = [.. points.Select(point => point.Y + point.Error), .. points.Select(point => Math.Max(point.Y - point.Error, point.Y / 2))];
        var vertical = new LogAxis(line is null ? heights : [.. heights, line.Y], Height - Bottom, _top);

        Add($"<svg class=\"plot\" viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{Escape(title)}\">");
        Add($"<text class=\"plot-title\" x=\"{Left}\" y=\"20\">{Escape(title)}</text>");
        DrawAxes(horizontal, vertical);
        if (line is not null) DrawLine(line, vertical);
        for (int i = 0; i < series.Count; i++) DrawSeries(series[i], i, horizontal, vertical);
        DrawLegend(series, legend);
        Add($"</svg>");
        return _svg.ToString();
    }

    private void DrawAxes(LogAxis horizontal, LogAxis vertical)
    {
        foreach (double tick in horizontal.Ticks)
        {
            double x = horizontal.Position(tick);
            Add($"<line class=\"grid\" x1=\"{x:0.0}\" y1=\"{_top}\" x2=\"{x:0.0}\" y2=\"{Height - Bottom}\"/>");
            Add($"<text class=\"tick\" x=\"{x:0.0}\" y=\"{Height - Bottom + 18}\" text-anchor=\"middle\">{tick:0.####}</text>");
        }

        foreach (double tick in vertical.Ticks)
        {
            double y = vertical.Position(tick);
            Add($"<line class=\"grid\" x1=\"{Left}\" y1=\"{y:0.0}\" x2=\"{Width - Right}\" y2=\"{y:0.0}\"/>");
            Add($"<text class=\"tick\" x=\"{Left - 8}\" y=\"{y + 4:0.0}\" text-anchor=\"end\">{tick:0.######}</text>");
        }

        Add($"<rect class=\"frame\" x=\"{Left}\" y=\"{_top}\" width=\"{Width - Left - Right}\" height=\"{PlotHeight}\"/>");
        Add($"<text class=\"axis\" x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 14}\" text-anchor=\"middle\">{Escape(horizontalTitle)}</text>");
        double middle = (_top + Height - Bottom) / 2;
        Add($"<text class=\"axis\" x=\"18\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 18 {middle})\">{Escape(verticalTitle)}</text>");
    }

    private void DrawLine(PlotLine line, LogAxis vertical)
    {
        double y = vertical.Position(line.Y);
        Add($"<line class=\"reference\" x1=\"{Left}\" y1=\"{y:0.0}\" x2=\"{Width - Right}\" y2=\"{y:0.0}\"/>");
        Add($"<text class=\"tick\" x=\"{Width - Right - 6}\" y=\"{y + 13:0.0}\" text-anchor=\"end\">{Escape(line.Label)}</text>");
    }

    private void DrawSeries(PlotSeries series, int index, LogAxis horizontal, LogAxis vertical)
    {
        PlotPoint[] points = [.. series.Points.OrderBy(point => point.X)];
        string path = string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{horizontal.Position(point.X):0.0},{vertical.Position(point.Y):0.0}")));
        Add($"<g class=\"s{index % ColourCount}\">");
        Add($"<polyline points=\"{path}\"{Dash(index)}/>");
        foreach (PlotPoint point in points)
        {
            double x = horizontal.Position(point.X), y = vertical.Position(point.Y);
            if (point.Error > 0)
                Add($"<line class=\"error\" x1=\"{x:0.0}\" y1=\"{vertical.Position(point.Y + point.Error):0.0}\" x2=\"{x:0.0}\" y2=\"{vertical.Position(Math.Max(point.Y - point.Error, point.Y / 2)):0.0}\"/>");
            Add($"<path class=\"mark\" d=\"{Shape(index, x, y)}\"><title>{Escape(series.Name)}: {Escape(point.Label)}</title></path>");
        }

        Add($"</g>");
    }

    private void DrawLegend(IReadOnlyList<PlotSeries> series, (double X, double Y)[] places)
    {
        for (int i = 0; i < series.Count; i++)
        {
            (double x, double y) = places[i];
            Add($"<g class=\"s{i % ColourCount}\"><polyline points=\"{x - 9:0.0},{y:0.0} {x + 9:0.0},{y:0.0}\"{Dash(i)}/><path class=\"mark\" d=\"{Shape(i, x, y)}\"/></g>");
            Add($"<text class=\"legend\" x=\"{x + 13:0.0}\" y=\"{y + 4:0.0}\">{Escape(series[i].Name)}</text>");
        }
    }

    /// <summary>Where the marks of the legend stand; names that do not fit into a row begin the next.</summary>
    private static (double X, double Y)[] LegendPlaces(IReadOnlyList<PlotSeries> series)
    {
        var places = new (double X, double Y)[series.Count];
        double x = Left + 10, y = LegendTop;
        for (int i = 0; i < places.Length; i++)
        {
            double width = 38 + 7.5 * series[i].Name.Length;
            if (i > 0 && x + width > Width)
            {
                x = Left + 10;
                y += LegendRow;
            }

            places[i] = (x, y);
            x += width;
        }

        return places;
    }

    // Shapes differ as well as colours, for readers who do not tell colours apart.
    private static string Shape(int index, double x, double y) => (index % ShapeCount) switch
    {
        0 => Invariant($"M{x - 4.5:0.0} {y:0.0}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z"),
        1 => Invariant($"M{x - 4:0.0} {y - 4:0.0}h8v8h-8z"),
        2 => Invariant($"M{x:0.0} {y - 5:0.0}l5 9h-10z"),
        3 => Invariant($"M{x:0.0} {y - 5.5:0.0}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"),
        4 => Invariant($"M{x:0.0} {y + 5:0.0}l5 -9h-10z"),
        _ => Invariant($"M{x - 1.6:0.0} {y - 5:0.0}h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4v-3.2h3.4z"),
    };

    private static string Dash(int index) => Dashes[index / ShapeCount % Dashes.Length];

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private void Add(FormattableString element) => _svg.Append(Invariant(element)).Append('\n');
}
