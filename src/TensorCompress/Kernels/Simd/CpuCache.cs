using System.Globalization;

namespace TensorCompress.Kernels.Simd;

/// <summary>A data cache of a processor.</summary>
/// <param name="Level">1 is the nearest.</param>
/// <param name="Bytes">Its size.</param>
public sealed record CpuCache(int Level, long Bytes)
{
    /// <summary>Caches of the first processor as Linux lists them; elsewhere, or where a sandbox hides them, none.</summary>
    internal static IReadOnlyList<CpuCache> OfFirstProcessor()
    {
        const string Folder = "/sys/devices/system/cpu/cpu0/cache";
        if (!OperatingSystem.IsLinux() || !Directory.Exists(Folder)) return [];
        try
        {
            return
            [
                .. Directory.EnumerateDirectories(Folder, "index*")
                    .Where(cache => ReadLine(cache, "type") is "Data" or "Unified")
                    .Select(cache => Parse(ReadLine(cache, "level"), ReadLine(cache, "size"))).OfType<CpuCache>()
                    .OrderBy(cache => cache.Level),
            ];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Reads a level and a size such as <c>512K</c>; null where they are no numbers.</summary>
    internal static CpuCache? Parse(string level, string size)
    {
        long unit = size.EndsWith('K') ? 1 << 10 : size.EndsWith('M') ? 1 << 20 : 1;
        return int.TryParse(level, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && long.TryParse(size.TrimEnd('K', 'M'), NumberStyles.None, CultureInfo.InvariantCulture, out long count) ? new CpuCache(number, count * unit) : null;
    }

    private static string ReadLine(string folder, string file) => File.ReadAllText(Path.Combine(folder, file)).Trim();
}
