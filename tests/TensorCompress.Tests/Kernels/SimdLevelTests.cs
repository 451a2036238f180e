using System.Diagnostics;
using System.Globalization;
using System.Runtime.Intrinsics.X86;
using TensorCompress.Kernels.Simd;

namespace TensorCompress.Tests.Kernels;

/// <summary>Whole processes at each instruction set: the switch must have worked, and the kernels must agree.</summary>
public class SimdLevelTests
{
    private static readonly Lazy<Dictionary<string, string>> Default = new(() => Probe());

    [Theory]
    [InlineData("512", "Bits512")]
    [InlineData("256", "Bits256")]
    [InlineData("128", "Bits128")]
    [InlineData("scalar", "Scalar")]
    public void The_variable_caps_a_whole_run(string cap, string expected)
    {
        Dictionary<string, string> capped = Probe(("TENSORCOMPRESS_SIMD", cap));
        string hardware = Default.Value["hardware"];
        Assert.Equal(hardware, capped["hardware"]);
        Assert.Equal(Rank(expected) < Rank(hardware) ? expected : hardware, capped["active"]);
        if (capped["fma"] == "True") AssertSameBits(Default.Value, capped, cap);
        else AssertNear(Default.Value, capped, cap);
    }

    [Theory]
    [InlineData("256")]
    [InlineData("128")]
    [InlineData("scalar")]
    public void Code_that_is_optimised_at_once_gives_the_same_bits(string cap)
    {
        Dictionary<string, string> optimised = Probe(("TENSORCOMPRESS_SIMD", cap), ("DOTNET_TieredCompilation", "0"));
        AssertSameBits(Probe(("TENSORCOMPRESS_SIMD", cap)), optimised, $"{cap}, optimised at once");
    }

    [Fact]
    public void A_wrong_cap_stops_the_program_with_the_choices()
    {
        (int code, string output) = Run(("TENSORCOMPRESS_SIMD", "wide"));
        Assert.NotEqual(0, code);
        Assert.Contains("512, 256, 128 or scalar", output, StringComparison.Ordinal);
    }

    [X64Fact]
    public void Without_AVX_512_the_bits_are_the_same()
    {
        Dictionary<string, string> limited = Probe(("DOTNET_EnableAVX512", "0"));
        Assert.Equal("False", limited["avx512"]);
        Assert.Equal((Avx2.IsSupported.ToString(), Avx2.IsSupported ? "Bits256" : "Bits128"), (limited["avx2"], limited["active"]));
        if (limited["fma"] == Default.Value["fma"]) AssertSameBits(Default.Value, limited, "no AVX-512");
    }

    [Fact]
    public void Nothing_but_vectors_of_512_bits_is_ever_divided() =>
        Assert.True(SimdLevel.Undivided == SimdLevel.Active || (SimdLevel.Active, SimdLevel.Undivided) == (SimdWidth.Bits512, SimdWidth.Bits256));

    [X64Fact]
    public void Without_the_later_AVX_512_or_VNNI_the_bits_are_the_same()
    {
        Dictionary<string, string> noLater = Probe(("DOTNET_EnableAVX512v2", "0")), noVnni = Probe(("DOTNET_EnableAVXVNNI", "0"));
        Assert.Equal(("False", Default.Value["avx512"]), (noLater["avx512v2"], noLater["avx512"]));
        Assert.Equal(("False", Default.Value["avx2"]), (noVnni["avxvnni"], noVnni["avx2"]));
        AssertSameBits(Default.Value, noLater, "no later AVX-512");
        AssertSameBits(Default.Value, noVnni, "no VNNI");
    }

    [X64Fact]
    public void Without_AVX2_the_results_stay_near()
    {
        Dictionary<string, string> limited = Probe(("DOTNET_EnableAVX2", "0"));
        Assert.Equal(("False", "False", "False", "True", "Bits128"), (limited["avx512"], limited["avx2"], limited["fma"], limited["sse42"], limited["active"]));
        AssertNear(Default.Value, limited, "no AVX2");
    }

    [X64Fact]
    public void Without_any_vectors_the_results_stay_near()
    {
        Dictionary<string, string> limited = Probe(("DOTNET_EnableHWIntrinsic", "0"));
        Assert.Equal(("False", "False", "False", "False", "Scalar"), (limited["avx512"], limited["avx2"], limited["fma"], limited["sse42"], limited["active"]));
        AssertNear(Default.Value, limited, "no intrinsics");
    }

    private static int Rank(string width) => Array.IndexOf(["Scalar", "Bits128", "Bits256", "Bits512"], width);

    private static void AssertSameBits(Dictionary<string, string> expected, Dictionary<string, string> actual, string what)
    {
        Assert.True(Kernels(expected).Count() > 10 && Bytes(expected).Count() > 3);
        foreach ((string name, string value) in Kernels(expected).Concat(Bytes(expected))) Assert.True(actual[name] == value, $"{what}: {name} is {actual[name]}, not {value}");
    }

    private static void AssertNear(Dictionary<string, string> expected, Dictionary<string, string> actual, string what)
    {
        foreach ((string name, string value) in Kernels(expected)) Assert.True(Math.Abs(Sum(actual[name]) - Sum(value)) < 1e-4, $"{what}: {name} is {actual[name]}, not {value}");
    }

    private static IEnumerable<KeyValuePair<string, string>> Kernels(Dictionary<string, string> facts) => facts.Where(fact => fact.Key.StartsWith("kernel.", StringComparison.Ordinal));

    /// <summary>What is stored: the same, or not; there is no nearly.</summary>
    private static IEnumerable<KeyValuePair<string, string>> Bytes(Dictionary<string, string> facts) => facts.Where(fact => fact.Key.StartsWith("bytes.", StringComparison.Ordinal));

    private static double Sum(string value) => double.Parse(value.Split(' ')[1], CultureInfo.InvariantCulture);

    private static Dictionary<string, string> Probe(params (string Name, string Value)[] environment)
    {
        (int code, string output) = Run(environment);
        Assert.True(code == 0, output);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(line => line.Split('=', 2)).ToDictionary(parts => parts[0], parts => parts[1]);
    }

    private static (int Code, string Output) Run(params (string Name, string Value)[] environment)
    {
        // artifacts/bin/TensorCompress.Tests/release -> artifacts/bin/TensorCompress.SimdProbe/release
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        string probe = Path.Combine(own.Parent!.Parent!.FullName, "TensorCompress.SimdProbe", own.Name, "TensorCompress.SimdProbe.dll");
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [probe]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string name in new[] { "TENSORCOMPRESS_SIMD", "DOTNET_EnableAVX512", "DOTNET_EnableAVX512v2", "DOTNET_EnableAVXVNNI", "DOTNET_EnableAVX2", "DOTNET_EnableHWIntrinsic" }) start.Environment.Remove(name);
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, process.ExitCode == 0 ? output : output + errors.GetAwaiter().GetResult());
    }
}

/// <summary>A fact about x64 processors; elsewhere it is skipped visibly.</summary>
internal sealed class X64FactAttribute : FactAttribute
{
    public X64FactAttribute()
    {
        if (!X86Base.IsSupported) Skip = "needs an x64 processor: the switches of the runtime are for its instruction sets";
    }
}
