using System.Globalization;
using TensorCompress.Templates.Execution;

namespace TensorCompress.Templates.Library;

/// <summary>Dates as the C library's <c>strftime</c> writes them, in English.</summary>
internal static class ClockText
{
    public static string Format(RenderContext context, string format, DateTimeOffset now)
    {
        var buffer = new TextBuffer(context);
        for (int at = 0; at < format.Length; at++)
        {
            if (format[at] != '%' || at + 1 == format.Length)
            {
                buffer.Append(format[at]);
                continue;
            }

            context.Step();
            context.Allocate(128);
            char flag = format[at + 1] is '-' or '_' or '0' or '^' && at + 2 < format.Length ? format[++at] : '\0';
            char code = format[++at];
            string? part = Part(code, now);
            buffer.Append(part is null ? "%" + (flag == '\0' ? "" : flag.ToString()) + code : WithFlag(part, flag));
        }

        return buffer.ToString();
    }

    private static string? Part(char code, DateTimeOffset now) => code switch
    {
        'a' => Text(now, "ddd"),
        'A' => Text(now, "dddd"),
        'b' or 'h' => Text(now, "MMM"),
        'B' => Text(now, "MMMM"),
        'c' => Text(now, "ddd MMM ") + now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2) + Text(now, " HH:mm:ss yyyy"),
        'C' => (now.Year / 100).ToString("00", CultureInfo.InvariantCulture),
        'd' => Text(now, "dd"),
        'D' or 'x' => Text(now, "MM'/'dd'/'yy"),
        'e' => now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'f' => Text(now, "ffffff"),
        'F' => Text(now, "yyyy-MM-dd"),
        'g' => (ISOWeek.GetYear(now.Date) % 100).ToString("00", CultureInfo.InvariantCulture),
        'G' => ISOWeek.GetYear(now.Date).ToString(CultureInfo.InvariantCulture),
        'H' => Text(now, "HH"),
        'I' => Text(now, "hh"),
        'j' => now.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        'k' => now.Hour.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'l' => (((now.Hour + 11) % 12) + 1).ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'm' => Text(now, "MM"),
        'M' => Text(now, "mm"),
        'n' => "\n",
        'p' => Text(now, "tt"),
        'P' => Text(now, "tt").ToLowerInvariant(),
        'r' => Text(now, "hh:mm:ss tt"),
        'R' => Text(now, "HH:mm"),
        's' => now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
        'S' => Text(now, "ss"),
        't' => "\t",
        'T' or 'X' => Text(now, "HH:mm:ss"),
        'u' => ((((int)now.DayOfWeek + 6) % 7) + 1).ToString(CultureInfo.InvariantCulture),
        'U' => ((now.DayOfYear + 6 - (int)now.DayOfWeek) / 7).ToString("00", CultureInfo.InvariantCulture),
        'V' => ISOWeek.GetWeekOfYear(now.Date).ToString("00", CultureInfo.InvariantCulture),
        'w' => ((int)now.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'W' => ((now.DayOfYear + 6 - (((int)now.DayOfWeek + 6) % 7)) / 7).ToString("00", CultureInfo.InvariantCulture),
        'y' => Text(now, "yy"),
        'Y' => now.Year.ToString(CultureInfo.InvariantCulture),
        'z' or 'Z' => "", // the clock's own time, without a zone
        '%' => "%",
        _ => null,
    };

    private static string Text(DateTimeOffset now, string pattern) => now.ToString(pattern, CultureInfo.InvariantCulture);

    // The C library's own flags: no padding, blanks, zeros, upper case.
    private static string WithFlag(string part, char flag) => flag switch
    {
        '-' => part.TrimStart('0', ' ') is { Length: > 0 } bare ? bare : "0",
        '_' => part.TrimStart('0').PadLeft(part.Length),
        '0' => part.TrimStart(' ').PadLeft(part.Length, '0'),
        '^' => part.ToUpperInvariant(),
        _ => part,
    };
}
