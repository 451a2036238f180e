using TensorCompress.Interop;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Interop;

public class EnergyCounterTests
{
    [Fact]
    public void Packages_are_added_and_counters_that_begin_again_go_on()
    {
        using var folder = new TemporaryFolder();
        Write(folder, "intel-rapl:0", 900_000, 1_000_000);
        Write(folder, "intel-rapl:1", 5_000_000, 9_000_000);
        Write(folder, "intel-rapl:0:0", 0, 1_000_000); // a part of package 0
        EnergyCounter counter = EnergyCounter.TryOpen(folder.Combine("."))!;
        Assert.Equal(0, counter.ReadJoules());
        Write(folder, "intel-rapl:0", 100_000, 1_000_000); // 0.2 J later, from the beginning again
        Write(folder, "intel-rapl:1", 6_500_000, 9_000_000);
        Write(folder, "intel-rapl:0:0", 999_999, 1_000_000);
        Assert.Equal(0.2 + 1.5, counter.ReadJoules(), 9);
        Write(folder, "intel-rapl:0", 350_000, 1_000_000);
        Assert.Equal(0.45 + 1.5, counter.ReadJoules(), 9);
    }

    [Fact]
    public void Without_readable_counters_there_is_none()
    {
        using var folder = new TemporaryFolder();
        Assert.Null(EnergyCounter.TryOpen(folder.Combine("nowhere")));
        Assert.Null(EnergyCounter.TryOpen(folder.Combine(".")));
        Directory.CreateDirectory(folder.Combine("intel-rapl:0"));
        Assert.Null(EnergyCounter.TryOpen(folder.Combine(".")));
        File.WriteAllText(folder.Combine("intel-rapl:0/energy_uj"), "much\n");
        File.WriteAllText(folder.Combine("intel-rapl:0/max_energy_range_uj"), "1\n");
        Assert.Null(EnergyCounter.TryOpen(folder.Combine(".")));
    }

    private static void Write(TemporaryFolder folder, string package, long energy, long range)
    {
        Directory.CreateDirectory(folder.Combine(package));
        File.WriteAllText(folder.Combine(package + "/energy_uj"), energy + "\n");
        File.WriteAllText(folder.Combine(package + "/max_energy_range_uj"), range + "\n");
    }
}
