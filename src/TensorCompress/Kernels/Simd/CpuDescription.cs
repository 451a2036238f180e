using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Kernels.Simd;

/// <summary>An instruction set, and whether this process may use it.</summary>
/// <param name="Name">Its usual name, for instance <c>AVX2</c>.</param>
/// <param name="IsSupported">Whether the CPU has it and the runtime has not switched it off.</param>
public sealed record InstructionSet(string Name, bool IsSupported);

/// <summary>What the CPU of this process offers and what the kernels make of it, for people and reports; kernels ask <see cref="SimdLevel"/>.</summary>
/// <param name="Name">The model's name where the system tells it, else the architecture's.</param>
/// <param name="Architecture">Architecture of the process.</param>
/// <param name="LogicalCores">Processors that the process may use: the threads of a pool that was not told otherwise.</param>
/// <param name="InstructionSets">The vector extensions of the architecture that .NET can reach.</param>
/// <param name="Caches">Data caches of the first processor, the nearest first; empty where the system does not tell.</param>
/// <param name="Kernels">Which implementation each group of operations takes in this process.</param>
public sealed record CpuDescription(
    string Name, Architecture Architecture, int LogicalCores, IReadOnlyList<InstructionSet> InstructionSets, IReadOnlyList<CpuCache> Caches, IReadOnlyList<KernelChoice> Kernels)
{
    /// <summary>Describes the CPU that runs this process.</summary>
    /// <exception cref="NotSupportedException">The environment variable <see cref="SimdLevel.Variable"/> is none of its values.</exception>
    public static CpuDescription Current()
    {
        Architecture architecture = RuntimeInformation.ProcessArchitecture;
        string name = ReadName() ?? architecture.ToString();
        return new CpuDescription(
            name, architecture, Environment.ProcessorCount, architecture is Architecture.Arm64 ? Arm64Sets() : X86Sets(), CpuCache.OfFirstProcessor(), KernelChoice.OfThisProcess());
    }

    private static IReadOnlyList<InstructionSet> X86Sets() =>
    [
        new("SSE4.2", Sse42.IsSupported),
        new("AVX", Avx.IsSupported),
        new("AVX2", Avx2.IsSupported),
        new("FMA", Fma.IsSupported),
        new("BMI2", Bmi2.IsSupported),
        new("AVX-VNNI", AvxVnni.IsSupported),
        new("AVX-VNNI-INT8", AvxVnniInt8.IsSupported),
        new("GFNI", Gfni.IsSupported),
        new("AVX-512F", Avx512F.IsSupported),
        new("AVX-512BW", Avx512BW.IsSupported),
        new("AVX-512DQ", Avx512DQ.IsSupported),
        new("AVX-512VL", Avx512F.VL.IsSupported),
        new("AVX-512VBMI", Avx512Vbmi.IsSupported),
        new("AVX-512VBMI2", Avx512Vbmi2.IsSupported),
        new("AVX10.1", Avx10v1.IsSupported),
        new("AVX10.2", Avx10v2.IsSupported),
    ];

    private static IReadOnlyList<InstructionSet> Arm64Sets() =>
    [
        new("AdvSimd", AdvSimd.Arm64.IsSupported),
        new("DotProd", Dp.IsSupported),
        new("RDM", Rdm.Arm64.IsSupported),
    ];

    // Linux lists it in /proc/cpuinfo, Windows in the environment; other systems keep it behind native calls.
    private static string? ReadName()
    {
        try
        {
            if (OperatingSystem.IsWindows()) return Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
            if (!OperatingSystem.IsLinux()) return null;
            string? line = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal));
            return line?[(line.IndexOf(':') + 1)..].Trim();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException) // a sandbox that hides the file
        {
            return null;
        }
    }
}
