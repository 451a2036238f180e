using System.Globalization;

namespace TensorCompress.Interop;

/// <summary>The energy that the processors of this machine used, as Linux tells it (powercap, RAPL). Reading it usually takes root's rights.</summary>
internal sealed class EnergyCounter
{
    private readonly Package[] _packages;

    private EnergyCounter(Package[] packages) => _packages = packages;

    /// <summary>Opens the counters of all processor packages; null where there is none that may be read.</summary>
    /// <param name="folder">Where the operating system lists them.</param>
    public static EnergyCounter? TryOpen(string folder = "/sys/class/powercap")
    {
        try
        {
            // A package is "intel-rapl:0" (on AMD too); what is inside it ("intel-rapl:0:1") is counted in it.
            Package[] packages =
            [
                .. Directory.Exists(folder)
                    ? Directory.EnumerateDirectories(folder, "intel-rapl:*").Where(path => Path.GetFileName(path).Count(character => character == ':') == 1).Order(StringComparer.Ordinal)
                        .Select(path => new Package(path))
                    : [],
            ];
            return packages.Length > 0 ? new EnergyCounter(packages) : null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or FormatException or OverflowException)
        {
            return null;
        }
    }

    /// <summary>Joules since the counter was opened.</summary>
    public double ReadJoules() => _packages.Sum(package => package.Read()) / 1e6;

    /// <summary>A counter that begins again at 0 beyond its range; it must be read more often than that.</summary>
    private sealed class Package
    {
        private readonly string _file;
        private readonly long _range;
        private long _last;
        private long _sum;

        public Package(string folder)
        {
            _file = Path.Combine(folder, "energy_uj");
            _range = Number(Path.Combine(folder, "max_energy_range_uj"));
            _last = Number(_file);
        }

        /// <summary>Microjoules since the beginning.</summary>
        public long Read()
        {
            long now = Number(_file);
            _sum += now >= _last ? now - _last : now + _range - _last;
            _last = now;
            return _sum;
        }

        private static long Number(string file) => long.Parse(File.ReadAllText(file), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);
    }
}
